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
  /** Loads the membership from disk again; undefined if it is locked, which `standing` then says. */
  readonly reload: (last: Membership) => Promise<Membership | undefined>;
  /** Whether no further attempt can succeed; if so, `standing` says why. */
  readonly isFinal: (error: unknown) => boolean;
}

/**
 * Starts the membership that a node already has, and repeats that until it succeeds. A change of the
 * membership must end the attempts first: one still running would bring back what the change removed.
 */
export class StartAttempts {
  readonly #components: StartAttemptsComponents;
  #underWay: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;
  #closed = false;

  constructor(components: StartAttemptsComponents) {
    this.#components = components;
  }

  /** `membership` is that of the standing, and not started. */
  begin(membership: Membership): void {
    if (this.#closed) return;
    const abort = new AbortController();
    this.#underWay = { abort, ended: this.#run(membership, abort.signal) };
  }

  /** Resolves when the present attempt is over; it may have succeeded. */
  async end(): Promise<void> {
    this.#underWay?.abort.abort();
    await this.#underWay?.ended;
  }

  /** The daemon ends: makes no further attempt, and does not wait for the present one. */
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
