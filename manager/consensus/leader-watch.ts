import type { Clock } from '../../common/clock.ts';

/** How long there has been no leader. */
export class LeaderWatch {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  #since: number | undefined;

  /** A time without leader counts only when it is longer than `patienceMs`. */
  constructor(components: { readonly clock: Clock }, init: { readonly patienceMs: number }) {
    this.#clock = components.clock;
    this.#patienceMs = init.patienceMs;
    this.#since = this.#clock.monotonic();
  }

  set(leaderId: number): void {
    if (leaderId !== 0) this.#since = undefined;
    else this.#since ??= this.#clock.monotonic();
  }

  get isLeaderless(): boolean {
    return this.leaderlessMs > this.#patienceMs;
  }

  /** 0 while there is a leader. */
  get leaderlessMs(): number {
    return this.#since === undefined ? 0 : this.#clock.monotonic() - this.#since;
  }
}
