import type { Clock, Timer } from '../../../common/clock.ts';

/** Time that passes when the test says so. */
export class VirtualClock implements Clock {
  #now = 1000;
  #timers: { at: number; fn: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  setTimer(ms: number, fn: () => void): Timer {
    const timer = { at: this.#now + ms, fn };
    this.#timers.push(timer);
    return { cancel: () => this.#remove(timer) };
  }

  /** Fires the timers that are due on the way, each at its time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at);
      this.#remove(next);
      next.fn();
    }
    this.#now = end;
  }

  /** The process stood still: time is over, and timers fire late. */
  freeze(ms: number): void {
    this.#now += ms;
    this.advance(0);
  }

  #next(end: number): { at: number; fn: () => void } | undefined {
    return this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
  }

  #remove(timer: { at: number; fn: () => void }): void {
    this.#timers = this.#timers.filter((each) => each !== timer);
  }
}
