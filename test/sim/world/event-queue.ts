export interface ScheduledEvent {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** What will happen, by time and then in the order in which it was scheduled: a binary heap. */
export class EventQueue {
  readonly #heap: ScheduledEvent[] = [];
  #order = 0;

  add(at: number, run: () => void): ScheduledEvent {
    const event = { at, order: this.#order++, run, cancelled: false };
    this.#heap.push(event);
    this.#up(this.#heap.length - 1);
    return event;
  }

  /** The next event that is due by `limit`. */
  take(limit: number): ScheduledEvent | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (!first || (first.at > limit && !first.cancelled)) return undefined;
      const last = this.#heap.pop() as ScheduledEvent;
      if (this.#heap.length > 0) {
        this.#heap[0] = last;
        this.#down();
      }
      if (!first.cancelled) return first;
    }
  }

  #up(start: number): void {
    const heap = this.#heap;
    for (let i = start; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (isBefore(heap[parent]!, heap[i]!)) return;
      [heap[parent], heap[i]] = [heap[i]!, heap[parent]!];
      i = parent;
    }
  }

  #down(): void {
    const heap = this.#heap;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      }
      if (least === i) return;
      [heap[least], heap[i]] = [heap[i]!, heap[least]!];
      i = least;
    }
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
