import type { SwarmError } from '../../common/errors.ts';

interface Waiter {
  readonly index: number;
  readonly bytes: number;
  resolve(): void;
  reject(error: SwarmError): void;
}

/**
 * Those who wait for their entries to be applied, in log order. Each gets exactly one outcome: its
 * entry was applied while this manager led without a break since the proposal, or leadership ended.
 */
export class Proposals {
  #waiters: Waiter[] = [];
  #head = 0;
  #bytes = 0;

  /** Payload of the entries that are waited for. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Indexes come in growing order. */
  add(index: number, bytes: number): Promise<void> {
    this.#bytes += bytes;
    const outcome = new Promise<void>((resolve, reject) => {
      this.#waiters.push({ index, bytes, resolve, reject });
    });
    // Whoever does not look at the outcome must not bring the process down with it.
    outcome.catch(() => undefined);
    return outcome;
  }

  applied(index: number): void {
    while (this.#head < this.#waiters.length && this.#waiters[this.#head]!.index <= index) {
      const waiter = this.#waiters[this.#head++]!;
      this.#bytes -= waiter.bytes;
      waiter.resolve();
    }
    if (this.#head > 1024 && this.#head * 2 > this.#waiters.length) {
      this.#waiters = this.#waiters.slice(this.#head);
      this.#head = 0;
    }
  }

  rejectAll(error: SwarmError): void {
    const waiters = this.#waiters.slice(this.#head);
    this.#waiters = [];
    this.#head = 0;
    this.#bytes = 0;
    for (const waiter of waiters) waiter.reject(error);
  }
}
