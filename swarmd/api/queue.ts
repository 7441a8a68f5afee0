export interface Queue<T> {
  push(item: T): void;
  /** No more items; those that wait are still delivered. */
  readonly end: () => void;
  /** To be iterated once. Ends after `end`, or at once when the signal is aborted. */
  readonly items: AsyncIterable<T>;
}

/** Turns pushed items into an async iterable. At most `capacity` wait; then the oldest is dropped. */
export function queueOf<T>(signal: AbortSignal, capacity: number): Queue<T> {
  const waiting: T[] = [];
  let ended = false;
  let wake = () => {};
  const end = () => {
    ended = true;
    wake();
  };
  signal.addEventListener('abort', () => wake(), { once: true });
  return {
    push(item) {
      if (ended) return;
      waiting.push(item);
      if (waiting.length > capacity) waiting.shift();
      wake();
    },
    end,
    items: {
      async *[Symbol.asyncIterator]() {
        while (!signal.aborted) {
          const item = waiting.shift();
          if (item !== undefined) yield item;
          else if (ended) return;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      },
    },
  };
}
