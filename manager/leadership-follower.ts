import type { Clock, Timer } from '../common/clock.ts';
import { errorMessage } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import type { Startable } from '../common/startable.ts';

const RETRY_MS = 1_000;

export interface LeadershipFollowerComponents<R extends Startable> {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Makes what runs while this manager leads; asked anew for each leadership. */
  readonly createRole: () => R;
}

/**
 * Starts the leader's role when this manager begins to lead and stops it when that ends, strictly one
 * after the other however fast leadership comes and goes.
 */
export class LeadershipFollower<R extends Startable> {
  readonly #components: LeadershipFollowerComponents<R>;
  readonly #listeners = new Set<(failure: unknown) => void>();
  #leading = false;
  #stopped = false;
  /** Counts leaderships: a role serves one, since others may have led in between. */
  #term = 0;
  #role: { readonly role: R; readonly term: number } | undefined;
  #retry: Timer | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(components: LeadershipFollowerComponents<R>) {
    this.#components = components;
  }

  /** The role once it runs whole. */
  get role(): R | undefined {
    return this.#leading && this.#role?.term === this.#term ? this.#role.role : undefined;
  }

  follow(isLeader: boolean): void {
    if (isLeader) this.#term++;
    this.#leading = isLeader;
    this.#settle();
  }

  /** Resolves with the next role that runs; rejects when one fails to start. */
  started(signal: AbortSignal): Promise<void> {
    if (this.role) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const finish = (failure: unknown) => {
        this.#listeners.delete(finish);
        signal.removeEventListener('abort', onAbort);
        if (failure === undefined) resolve();
        else reject(failure);
      };
      const onAbort = () => finish(signal.reason);
      this.#listeners.add(finish);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#leading = false;
    this.#retry?.cancel();
    this.#settle();
    await this.#work;
  }

  #settle(): void {
    this.#work = this.#work.then(async () => {
      if (this.#role && !this.role) await this.#end(this.#role.role);
      if (this.#leading && !this.#stopped && !this.#role) await this.#begin(this.#term);
    });
  }

  async #begin(term: number): Promise<void> {
    const { createRole, logger, clock } = this.#components;
    const role = createRole();
    try {
      await role.start();
    } catch (error) {
      if (!this.#leading || this.#term !== term) return;
      logger.error({ err: errorMessage(error) }, 'the role of the leader could not be started');
      this.#tell(error);
      this.#retry = clock.setTimer(RETRY_MS, () => this.#settle());
      return;
    }
    this.#role = { role, term };
    if (!this.role) return;
    logger.info('this manager leads the swarm');
    this.#tell(undefined);
  }

  async #end(role: R): Promise<void> {
    this.#role = undefined;
    await role.stop();
    this.#components.logger.info('this manager leads no longer');
  }

  #tell(failure: unknown): void {
    for (const listener of [...this.#listeners]) listener(failure);
  }
}
