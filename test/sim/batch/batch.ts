import { type ChildProcess, fork } from 'node:child_process';
import type { FaultChoice } from '../cluster/faults.ts';
import type { Order, Outcome } from './messages.ts';

export interface BatchInit {
  /** The first seed; the others follow it. */
  readonly start: number;
  readonly runs: number;
  /** Processes that share them. */
  readonly jobs: number;
  readonly faults: FaultChoice;
  /** After so many minutes no seed is begun any more. */
  readonly minutes: number;
  /** What each process runs: takes an `Order` after the other, and answers with an `Outcome`. */
  readonly runner?: URL;
}

export interface BatchEvents {
  failed(failure: Failure): void;
  /** Now and then. */
  progress(summary: Summary): void;
}

export interface Failure {
  readonly seed: number;
  readonly message: string;
}

export interface Summary {
  readonly runs: number;
  readonly failures: readonly Failure[];
  readonly seconds: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly entries: number;
  readonly elections: number;
  readonly operations: number;
  /** The most that any of the processes took, bytes. */
  readonly rss: number;
}

/** Beside this file, compiled or not. */
const RUNNER = new URL(`./runner${import.meta.url.slice(-3)}`, import.meta.url);
/** A run takes a fraction of a second; one that takes so long goes round in a circle. */
const RUN_LIMIT_MS = 300_000;
const PROGRESS_MS = 30_000;

/** Runs many seeds on several processes. Resolves when all are done, or time is up. */
export function runBatch(init: BatchInit, events: BatchEvents): Promise<Summary> {
  return new Batch(init, events).run();
}

class Batch {
  readonly #init: BatchInit;
  readonly #events: BatchEvents;
  readonly #began = performance.now();
  readonly #failures: Failure[] = [];
  readonly #sums = { runs: 0, events: 0, virtualMs: 0, entries: 0, elections: 0, operations: 0 };
  #rss = 0;
  #next: number;

  constructor(init: BatchInit, events: BatchEvents) {
    this.#init = init;
    this.#events = events;
    this.#next = init.start;
  }

  async run(): Promise<Summary> {
    const timer = setInterval(() => this.#events.progress(this.#summary()), PROGRESS_MS);
    try {
      await Promise.all(Array.from({ length: this.#init.jobs }, () => this.#work()));
    } finally {
      clearInterval(timer);
    }
    return this.#summary();
  }

  /** One process after the other: one that a seed brought down is replaced. */
  async #work(): Promise<void> {
    let runner: Runner | undefined;
    for (let seed = this.#take(); seed !== undefined; seed = this.#take()) {
      runner ??= new Runner(this.#init.runner ?? RUNNER);
      const outcome = await runner.run({ seed, faults: this.#init.faults });
      if (typeof outcome === 'object') this.#count(outcome);
      else {
        this.#sums.runs++;
        this.#fail({ seed, message: outcome });
        runner = undefined;
      }
    }
    runner?.end();
  }

  #take(): number | undefined {
    const { start, runs, minutes } = this.#init;
    const isOver = performance.now() - this.#began >= minutes * 60_000;
    return isOver || this.#next >= start + runs ? undefined : this.#next++;
  }

  #count(outcome: Outcome): void {
    const { seed, failure, rss } = outcome;
    this.#sums.runs++;
    for (const key of ['events', 'virtualMs', 'entries', 'elections', 'operations'] as const) {
      this.#sums[key] += outcome[key];
    }
    this.#rss = Math.max(this.#rss, rss);
    if (failure !== undefined) this.#fail({ seed, message: failure });
  }

  #fail(failure: Failure): void {
    this.#failures.push(failure);
    this.#events.failed(failure);
  }

  #summary(): Summary {
    const seconds = (performance.now() - this.#began) / 1_000;
    return { ...this.#sums, failures: [...this.#failures], seconds, rss: this.#rss };
  }
}

/**
 * Young objects get room, since most of what a run makes is gone with its event, and no threads besides
 * that of the run. Nobody reads stacks here: a seed that fails is run again by itself.
 */
const NODE_OPTIONS = ['--max-semi-space-size=32', '--single-threaded-gc', '--stack-trace-limit=0'];

class Runner {
  readonly #child: ChildProcess;

  constructor(path: URL) {
    this.#child = fork(path, { execArgv: [...process.execArgv, ...NODE_OPTIONS] });
  }

  /** What became of the seed, or why nobody knows. */
  run(order: Order): Promise<Outcome | string> {
    const child = this.#child;
    return new Promise((resolve) => {
      const done = (outcome: Outcome | string) => {
        clearTimeout(limit);
        child.removeAllListeners();
        resolve(outcome);
      };
      const limit = setTimeout(() => {
        child.kill('SIGKILL');
        done(`not done after ${RUN_LIMIT_MS / 1_000} s`);
      }, RUN_LIMIT_MS);
      child.once('message', (outcome) => done(outcome as Outcome));
      child.once('exit', (code, signal) => done(`its process ended with ${signal ?? code}`));
      child.once('error', (error) => done(error.message));
      child.send(order);
    });
  }

  end(): void {
    this.#child.disconnect();
  }
}
