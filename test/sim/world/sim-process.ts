import type { Clock, Timer } from '../../../common/clock.ts';
import type { Random } from '../../../common/random.ts';
import type { World } from './world.ts';

export interface SimProcessInit {
  readonly name: string;
  /** How fast its clock runs: 1.01 gains ten milliseconds a second. */
  readonly clockRate?: number;
  /** Of its wall clock, milliseconds. */
  readonly clockOffset?: number;
  /** Milliseconds that go by between two looks at the clock: long work then uses up its slices. */
  readonly cpuMs?: number;
}

const EPOCH_MS = Date.UTC(2026, 0, 1);

/**
 * One life of a process. All that reaches it goes through `deliver`: after its end nothing does, and
 * while it is frozen everything waits. What is left of its code then waits for ever.
 */
export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly #world: World;
  readonly #onEnd = new Set<() => void>();
  #frozen: (() => void)[] | undefined;
  #ended = false;

  constructor(world: World, init: SimProcessInit) {
    this.#world = world;
    this.name = init.name;
    this.random = world.random();
    this.clock = this.#newClock(init);
  }

  get ended(): boolean {
    return this.#ended;
  }

  get frozen(): boolean {
    return this.#frozen !== undefined;
  }

  /** Calls `run` after `delayMs` of real time, if the process is still there then. */
  schedule(delayMs: number, run: () => void): Timer {
    const event = this.#world.schedule(delayMs, () => this.deliver(run));
    return {
      cancel: () => {
        event.cancelled = true;
      },
    };
  }

  deliver(run: () => void): void {
    if (this.#ended) return;
    if (this.#frozen) {
      this.#frozen.push(run);
      return;
    }
    this.#world.touched.add(this);
    run();
  }

  /** What code of this process asks of the outside: after its end nothing is done, nor answered. */
  async outside<T>(work: () => Promise<T>): Promise<T> {
    if (this.#ended) return forever();
    const result = await work();
    return this.#ended ? forever() : result;
  }

  /** The process gets no time, as if it were swapped out; the world goes on. */
  freeze(): void {
    if (!this.#ended) this.#frozen ??= [];
  }

  /** Everything that came meanwhile happens now, one after the other. */
  thaw(): void {
    const waiting = this.#frozen ?? [];
    this.#frozen = undefined;
    for (const run of waiting) this.#world.schedule(0, () => this.deliver(run));
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const listener of this.#onEnd) listener();
    this.#onEnd.clear();
  }

  onEnd(listener: () => void): () => void {
    this.#onEnd.add(listener);
    return () => this.#onEnd.delete(listener);
  }

  #newClock({ clockRate: rate = 1, clockOffset = 0, cpuMs = 0 }: SimProcessInit): Clock {
    const start = this.#world.time;
    const elapsed = () => (this.#world.time - start) * rate;
    let last = 0;
    return {
      monotonic: () => {
        last = Math.max(elapsed(), last + cpuMs);
        return last;
      },
      now: () => Math.floor(EPOCH_MS + clockOffset + start + elapsed()),
      setTimer: (ms, fn) => {
        let cancelled = false;
        const timer = this.schedule(Math.max(0, ms) / rate, () => {
          if (!cancelled) fn();
        });
        return {
          cancel: () => {
            cancelled = true;
            timer.cancel();
          },
        };
      },
    };
  }
}

/** A promise of its own each time: one that all share would keep all that ever waited for it. */
function forever(): Promise<never> {
  return new Promise(() => undefined);
}
