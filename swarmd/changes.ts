import type { Clock } from '../common/clock.ts';
import { within } from '../common/deadline.ts';
import { errorMessage, SwarmError } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';

const TIMEOUT_TEXT =
  'Timeout was reached before node joined. The attempt to join the swarm will continue in the background. Use the "docker info" command to see the current swarm status of your node.';

export interface ChangesComponents {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Changes of this node's membership: one at a time. */
export class Changes {
  readonly #components: ChangesComponents;
  #underWay: { readonly ended: Promise<unknown>; readonly abort: AbortController } | undefined;

  constructor(components: ChangesComponents) {
    this.#components = components;
  }

  /**
   * Rejects with SWM_UNAVAILABLE while another change is under way. The signal that `change` is
   * given is aborted by `interrupt`.
   */
  async run<T>(change: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#underWay) {
      throw new SwarmError('SWM_UNAVAILABLE', 'this node is joining or leaving a swarm just now', {
        hint: 'look at `swarmctl info` and repeat',
      });
    }
    const abort = new AbortController();
    const ended = change(abort.signal);
    this.#underWay = { ended, abort };
    try {
      return await ended;
    } finally {
      this.#underWay = undefined;
    }
  }

  /** As `run`, but rejects with SWM_TIMEOUT after `limitMs`; the change goes on. */
  async runWithin<T>(limitMs: number, change: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, logger } = this.#components;
    const running = this.run(change);
    const late = () => new SwarmError('SWM_TIMEOUT', TIMEOUT_TEXT);
    try {
      return await within(clock, { ms: limitMs, late }, () => running);
    } finally {
      running.catch((error: unknown) => {
        logger.warn({ err: errorMessage(error) }, 'joining failed');
      });
    }
  }

  /**
   * Aborts the signal of the change under way and waits for its end. Resolves with whether there was
   * a change.
   */
  async interrupt(reason: SwarmError): Promise<boolean> {
    const underWay = this.#underWay;
    underWay?.abort.abort(reason);
    await underWay?.ended.catch(() => undefined);
    return underWay !== undefined;
  }
}
