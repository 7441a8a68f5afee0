import type { Clock, Timer } from '../../common/clock.ts';

/** At most this many ticks at once after the event loop stood still. */
const CATCH_UP_MAX = 2;

/**
 * Calls `tick` every `tickMs` of monotonic time. Ticks that were missed because the process stood
 * still are mostly forgotten: the heartbeats of that time wait in the sockets, and an election timer
 * that ran on without them would depose a leader that is well.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #tick: () => void;
  #timer: Timer | undefined;
  #next = 0;

  constructor(clock: Clock, tickMs: number, tick: () => void) {
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#tick = tick;
  }

  start(): void {
    this.#next = this.#clock.monotonic() + this.#tickMs;
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    const wait = Math.max(0, this.#next - this.#clock.monotonic());
    this.#timer = this.#clock.setTimer(wait, () => this.#fire());
  }

  #fire(): void {
    const late = this.#clock.monotonic() - this.#next;
    const missed = Math.max(0, Math.floor(late / this.#tickMs));
    this.#next += (missed + 1) * this.#tickMs;
    this.#arm();
    for (let i = 0; i < Math.min(missed + 1, CATCH_UP_MAX); i++) {
      if (this.#timer) this.#tick();
    }
  }
}
