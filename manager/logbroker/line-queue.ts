import { Trigger } from '../../common/trigger.ts';

/**
 * What many publishers put in and one reader takes out. A publisher waits while the queue is full,
 * so that a slow reader slows down the nodes instead of filling the manager's memory.
 */
export class LineQueue<T> {
  readonly #items: T[] = [];
  readonly #capacity: number;
  readonly #arrived = new Trigger();
  #waiting: (() => void)[] = [];
  #closed: { error: unknown } | undefined;

  constructor(init: { capacity: number }) {
    this.#capacity = init.capacity;
  }

  /** False when nobody reads any more. */
  async push(item: T): Promise<boolean> {
    while (!this.#closed && this.#items.length >= this.#capacity) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#closed) return false;
    this.#items.push(item);
    this.#arrived.fire();
    return true;
  }

  /** Ends the reading once it has come to the end, with `error` if there is one. */
  close(error?: unknown): void {
    this.#closed ??= { error };
    this.#arrived.fire();
    this.#release();
  }

  async *read(signal: AbortSignal): AsyncGenerator<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        this.#release();
        yield item;
      } else if (this.#closed) {
        if (this.#closed.error !== undefined) throw this.#closed.error;
        return;
      } else await this.#arrived.wait(signal);
    }
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
