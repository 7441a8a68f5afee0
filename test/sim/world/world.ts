import type { Random } from '../../../common/random.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { drain, inOwnTurn, takeOverEventLoop } from './event-loop.ts';
import { EventQueue, type ScheduledEvent } from './event-queue.ts';
import type { SimProcess } from './sim-process.ts';
import type { Trace } from './trace.ts';

/** A violation of what must always hold. The run ends with the first one. */
export class Violation extends Error {}

/**
 * Virtual time, and everything that is going to happen in it. One event at a time happens, then the
 * code that it set off runs until it waits for something again, so that a run is a function of its
 * seed alone. There is one world at a time in a process, whose event loop it takes over.
 */
export class World {
  readonly trace: Trace;
  readonly #seed: number;
  readonly #queue = new EventQueue();
  readonly #checks: (() => void)[] = [];
  /** The processes to which something happened in this event. */
  readonly touched = new Set<SimProcess>();
  #streams = 0;
  #time = 0;
  #events = 0;
  #violation: Error | undefined;

  constructor(components: { readonly trace: Trace }, init: { readonly seed: number }) {
    this.trace = components.trace;
    this.#seed = init.seed;
    takeOverEventLoop();
  }

  /** Milliseconds since the run began. */
  get time(): number {
    return this.#time;
  }

  get events(): number {
    return this.#events;
  }

  get violation(): Error | undefined {
    return this.#violation;
  }

  /** A stream of random numbers of its own: what one part draws does not change another's. */
  random(): Random {
    return seededRandom(
      Math.imul(this.#seed + 1, 0x9e3779b1) ^ Math.imul(++this.#streams, 0x85ebca6b),
    );
  }

  schedule(delayMs: number, run: () => void): ScheduledEvent {
    return this.#queue.add(this.#time + Math.max(0, delayMs), run);
  }

  log(who: string, kind: string, details: string): void {
    this.trace.add(this.#time, who, kind, details);
  }

  /** `check` is called after each event. */
  addCheck(check: () => void): void {
    this.#checks.push(check);
  }

  /** Ends the run. May be called from anywhere, also where throwing would be swallowed. */
  fail(error: unknown): void {
    if (this.#violation) return;
    this.#violation = error instanceof Error ? error : new Violation(String(error));
    this.log('-', 'FAIL', this.#violation.message.replaceAll('\n', ' | '));
  }

  /** Lets `ms` pass. Throws the violation, if there was one. */
  async run(ms: number): Promise<void> {
    await inOwnTurn(() => this.#pass(this.#time + ms));
    if (this.#violation) throw this.#violation;
  }

  /** Lets time pass until `condition` holds; false when it did not within `limitMs`. */
  async until(condition: () => boolean, limitMs: number, stepMs = 20): Promise<boolean> {
    for (const end = this.#time + limitMs; !condition(); ) {
      if (this.#time >= end) return false;
      await this.run(Math.min(stepMs, end - this.#time));
    }
    return true;
  }

  #pass(end: number): void {
    this.#attempt(drain);
    while (!this.#violation) {
      const event = this.#queue.take(end);
      if (!event) break;
      this.#time = Math.max(this.#time, event.at);
      this.#events++;
      this.#attempt(() => this.#happen(event));
    }
    if (!this.#violation) this.#time = end;
  }

  #happen(event: ScheduledEvent): void {
    event.run();
    drain();
    for (const check of this.#checks) check();
    this.touched.clear();
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.fail(error);
    }
  }
}
