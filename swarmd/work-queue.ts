import { errorMessage } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';

export interface WorkQueueComponents {
  readonly logger: Logger;
}

/** Work that is done one after the other, in the order in which it was added, until it is closed. */
export class WorkQueue {
  readonly #logger: Logger;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  constructor({ logger }: WorkQueueComponents) {
    this.#logger = logger;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What fails is logged. */
  add(work: () => Promise<void>): void {
    this.run(work).catch((error: unknown) => {
      this.#logger.error({ err: errorMessage(error) }, 'the node could not follow');
    });
  }

  /** Resolves once it is done, or is not to be done any more; rejects as it does. */
  run(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(() => (this.#closed ? undefined : work()));
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Resolves when what was added so far is done. */
  get idle(): Promise<void> {
    return this.#last;
  }

  /** What has not begun is dropped; resolves when what has is done. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#last;
  }
}
