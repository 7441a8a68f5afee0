import { type Clock, sleep } from '../common/clock.ts';
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
  #underWay: Promise<unknown> | undefined;

  constructor(components: ChangesComponents) {
    this.#components = components;
  }

  /** Rejects with SWM_UNAVAILABLE while another change is under way. */
  async run<T>(change: () => Promise<T>): Promise<T> {
    if (this.#underWay) {
      throw new SwarmError('SWM_UNAVAILABLE', 'this node is joining or leaving a swarm just now', {
        hint: 'look at `swarmctl info` and repeat',
      });
    }
    const running = change();
    this.#underWay = running;
    try {
      return await running;
    } finally {
      this.#underWay = undefined;
    }
  }

  /** As `run`, but rejects with SWM_TIMEOUT after `limitMs`; the change goes on. */
  async runWithin<T>(limitMs: number, change: () => Promise<T>): Promise<T> {
    const { clock, logger } = this.#components;
    const running = this.run(change);
    const late = new AbortController();
    const timeout = sleep(clock, limitMs, late.signal).then(() => {
      throw new SwarmError('SWM_TIMEOUT', TIMEOUT_TEXT);
    });
    timeout.catch(() => undefined);
    try {
      return await Promise.race([running, timeout]);
    } finally {
      late.abort(new Error('done'));
      running.catch((error: unknown) => {
        logger.warn({ err: errorMessage(error) }, 'joining failed');
      });
    }
  }

  /** Resolves when the change under way is over, however it ended. */
  async over(): Promise<void> {
    await this.#underWay?.catch(() => undefined);
  }
}
