interface Waiter {
  readonly index: number;
  readonly resolve: () => void;
}

/** The index of the last applied entry, and those who wait for one. */
export class AppliedIndex {
  #index = 0;
  #waiters: Waiter[] = [];

  get index(): number {
    return this.#index;
  }

  advance(index: number): void {
    this.#index = index;
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter((waiter) => waiter.index <= index);
    this.#waiters = this.#waiters.filter((waiter) => waiter.index > index);
    for (const { resolve } of due) resolve();
  }

  wait(index: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (index <= this.#index) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiters = this.#waiters.filter((waiter) => waiter !== mine);
        reject(signal?.reason);
      };
      const mine: Waiter = {
        index,
        resolve: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      this.#waiters.push(mine);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
