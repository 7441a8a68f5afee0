import { type Clock, sleep } from '../common/clock.ts';
import { errorMessage, isSwarmError } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import type { Membership } from './membership.ts';
import type { NodeStanding } from './node-standing.ts';

const RETRY_MS = 2_000;

export interface StartAttemptsComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly standing: NodeStanding;
  /** The membership on disk, once more; undefined if it is locked, which `standing` knows then. */
  readonly reload: (last: Membership) => Promise<Membership | undefined>;
  /** Whether no further attempt can succeed; if so, `standing` knows why. */
  readonly isFinal: (error: unknown) => boolean;
}

/**
 * Starts the membership that a node already has. What fails now may work later, so it is tried until
 * it succeeds. Whoever changes the membership ends the attempts first: an attempt that was overtaken
 * would bring back what is gone.
 */
export class StartAttempts {
  readonly #components: StartAttemptsComponents;
  #underWay: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;
  #closed = false;

  constructor(components: StartAttemptsComponents) {
    this.#components = components;
  }

  /** `membership` is the one of the standing. */
  begin(membership: Membership): void {
    if (this.#closed) return;
    const abort = new AbortController();
    this.#underWay = { abort, ended: this.#run(membership, abort.signal) };
  }

  /** Resolves when the attempt under way is over; its membership may have started all the same. */
  async end(): Promise<void> {
    this.#underWay?.abort.abort();
    await this.#underWay?.ended;
  }

  /** The daemon ends: nothing is tried any more, and nobody waits for what is under way. */
  close(): void {
    this.#closed = true;
    this.#underWay?.abort.abort();
  }

  async #run(first: Membership, signal: AbortSignal): Promise<void> {
    const { clock, logger, standing } = this.#components;
    let wasOut = false;
    let membership: Membership | undefined = first;
    while (membership) {
      try {
        await membership.start();
        standing.set('active');
        return;
      } catch (error) {
        await membership.stop().catch(() => undefined);
        if (signal.aborted || this.#components.isFinal(error)) return;
        logger.error({ err: errorMessage(error) }, 'the node could not start');
        // A manager that was removed has dropped its log: the next attempt joins again.
        const isOut: boolean = !wasOut && isSwarmError(error, 'SWM_NOT_MANAGER');
        wasOut ||= isOut;
        if (!isOut) standing.set('error', errorMessage(error));
      }
      await sleep(clock, RETRY_MS, signal).catch(() => undefined);
      membership = await this.#reloaded(membership, signal);
    }
  }

  async #reloaded(last: Membership, signal: AbortSignal): Promise<Membership | undefined> {
    const { clock, logger, standing, reload, isFinal } = this.#components;
    while (!signal.aborted) {
      try {
        standing.membership = await reload(last);
        return standing.membership;
      } catch (error) {
        if (isFinal(error)) return undefined;
        logger.error({ err: errorMessage(error) }, 'the files of the membership cannot be read');
        standing.set('error', errorMessage(error));
      }
      await sleep(clock, RETRY_MS, signal).catch(() => undefined);
    }
    return undefined;
  }
}
