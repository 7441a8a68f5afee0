import type { Random } from '../../common/random.ts';

const BASE_MS = 100;
/** A leader takes a thousand registrations in a fraction of this. */
const MAX_MS = 3_000;

/**
 * Time between attempts to get a session: the bound grows from 100 ms to 3 s, and the delay is
 * uniform below it, so that the agents of a cluster do not come back all at once.
 */
export class Backoff {
  readonly #random: Random;
  #boundMs = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The next delay, milliseconds. */
  next(): number {
    this.#boundMs = Math.min(MAX_MS, BASE_MS + 2 * this.#boundMs);
    return this.#random.float() * this.#boundMs;
  }

  reset(): void {
    this.#boundMs = 0;
  }
}
