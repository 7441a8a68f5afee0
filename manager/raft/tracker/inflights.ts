/**
 * The window of append messages to one follower that are sent but not acknowledged, bounded by number
 * and by bytes. A ring of (last index, bytes) pairs that grows up to the bound, since most followers
 * never need all of it.
 *
 * Invariant: the indexes in the ring ascend, and `bytes` is the sum of the sizes in it.
 */
export class Inflights {
  readonly maxCount: number;
  /** 0: no limit. */
  readonly maxBytes: number;
  #start = 0;
  #count = 0;
  #bytes = 0;
  #indexes: number[] = [];
  #sizes: number[] = [];

  constructor(maxCount: number, maxBytes: number) {
    this.maxCount = maxCount;
    this.maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The byte bound is passed by at most one message, so that a message above it can be sent. */
  get full(): boolean {
    return this.#count >= this.maxCount || (this.maxBytes !== 0 && this.#bytes >= this.maxBytes);
  }

  /** A message whose last entry is `index` was sent. Must not be called when full. */
  add(index: number, bytes: number): void {
    if (this.full) throw new Error('bug: cannot add to a full window of inflight messages');
    if (this.#count === this.#indexes.length) this.#grow();
    const at = (this.#start + this.#count) % this.#indexes.length;
    this.#indexes[at] = index;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** The follower has acknowledged up to `index`: forget the messages up to it. */
  freeUpTo(index: number): void {
    const capacity = this.#indexes.length;
    while (this.#count > 0 && this.#indexes[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!;
      this.#start = (this.#start + 1) % capacity;
      this.#count--;
    }
    // An empty window starts over at 0, so that a slow flow never needs a larger ring.
    if (this.#count === 0) this.#start = 0;
  }

  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  /** `3/256 messages, 1200 bytes: 14 15 18` by the last indexes of the messages. */
  describe(): string {
    const capacity = this.#indexes.length;
    const last = Array.from(
      { length: this.#count },
      (_, i) => this.#indexes[(this.#start + i) % capacity],
    );
    const bytes = this.maxBytes === 0 ? `${this.#bytes}` : `${this.#bytes}/${this.maxBytes}`;
    return `${this.#count}/${this.maxCount} messages, ${bytes} bytes: ${last.join(' ')}`;
  }

  #grow(): void {
    const capacity = Math.min(Math.max(2 * this.#count, 4), this.maxCount);
    const indexes = new Array<number>(capacity).fill(0);
    const sizes = new Array<number>(capacity).fill(0);
    for (let i = 0; i < this.#count; i++) {
      const at = (this.#start + i) % this.#indexes.length;
      indexes[i] = this.#indexes[at]!;
      sizes[i] = this.#sizes[at]!;
    }
    this.#start = 0;
    this.#indexes = indexes;
    this.#sizes = sizes;
  }
}
