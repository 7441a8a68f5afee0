import type { Clock, Timer } from '../../common/clock.ts';

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Time that stands still until a test moves it. `now` and `monotonic` run together. */
export class VirtualClock implements Clock {
  private time: number;
  private order = 0;
  private timers: Pending[] = [];

  constructor(startMs = 1_000_000) {
    this.time = startMs;
  }

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.timers.length;
  }

  setTimer(ms: number, fn: () => void): Timer {
    const pending: Pending = { at: this.time + Math.max(0, ms), order: this.order++, fn };
    this.timers.push(pending);
    return {
      cancel: () => {
        this.timers = this.timers.filter((timer) => timer !== pending);
      },
    };
  }

  /** Fires everything that is due within `ms`, letting promises settle between the firings. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    do await settle();
    while (this.fireNext(end));
    this.time = end;
    await settle();
  }

  /** As `advance`, for synchronous code: promises do not settle between the timers. */
  pass(ms: number): void {
    const end = this.time + ms;
    while (this.fireNext(end));
    this.time = end;
  }

  /** The process was stopped for `ms`: its timers fire late, all at the end. */
  freeze(ms: number): void {
    this.time += ms;
    this.pass(0);
  }

  /** Moves time on until `condition` holds, at most `limitMs`; returns how long it took. */
  async until(condition: () => boolean, limitMs: number, stepMs = 50): Promise<number> {
    const start = this.time;
    while (!condition()) {
      if (this.time - start >= limitMs) {
        throw new Error(`condition did not hold within ${limitMs} ms of virtual time`);
      }
      await this.advance(stepMs);
    }
    return this.time - start;
  }

  /** The first timer that is due by `end`; false when there is none. */
  private fireNext(end: number): boolean {
    const next = this.timers
      .filter((timer) => timer.at <= end)
      .sort((a, b) => a.at - b.at || a.order - b.order)[0];
    if (!next) return false;
    this.timers = this.timers.filter((timer) => timer !== next);
    this.time = Math.max(this.time, next.at);
    next.fn();
    return true;
  }
}

/** Lets every promise that can settle without time do so. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
