/** More than this is not sent at once, so that nothing small waits for long. */
const BATCH_BYTES = 512 * 1024;

/** What is added in one turn of the event loop leaves at its end, in few batches. */
export class TurnBatch<T> {
  readonly #send: (items: readonly T[]) => void;
  readonly #size: (item: T) => number;
  #items: T[] = [];

  constructor(init: { send: (items: readonly T[]) => void; size: (item: T) => number }) {
    this.#send = init.send;
    this.#size = init.size;
  }

  add(item: T): void {
    if (this.#items.push(item) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const items = this.#items;
    this.#items = [];
    let start = 0;
    let bytes = 0;
    for (const [i, item] of items.entries()) {
      const size = this.#size(item);
      if (i > start && bytes + size > BATCH_BYTES) {
        this.#send(items.slice(start, i));
        start = i;
        bytes = 0;
      }
      bytes += size;
    }
    this.#send(items.slice(start));
  }
}
