import type { Logger } from '../../common/logger.ts';

/** Steps that take back what was done, newest first, when a sequence fails half-way. */
export class UndoStack {
  readonly #logger: Logger;
  readonly #steps: (() => unknown)[] = [];

  constructor(components: { logger: Logger }) {
    this.#logger = components.logger;
  }

  push(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** Failures are logged: the error that led here matters more. */
  async unwind(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        this.#logger.warn({ err: error }, 'cleaning up after a failure failed too');
      }
    }
  }
}
