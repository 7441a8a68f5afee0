import { readFileSync } from 'node:fs';
import {
  constants,
  monitorEventLoopDelay,
  type PerformanceEntry,
  PerformanceObserver,
} from 'node:perf_hooks';

/** What happened to the event loop between two readings. Times are milliseconds. */
export interface LoopReading {
  /** The longest time for which it served nobody; too short by `resolutionMs` at most. */
  readonly longestMs: number;
  readonly gcPauses: readonly GcPause[];
  /**
   * How long its thread could have run and no processor was free, all in all. Undefined where the kernel
   * does not tell.
   */
  readonly waitedMs: number | undefined;
}

export interface GcPause {
  readonly kind: 'minor' | 'major' | 'incremental' | 'weak';
  readonly ms: number;
}

export interface LoopProbe {
  start(): void;
  stop(): void;
  /** What happened since the last call. */
  read(): LoopReading;
}

const RESOLUTION_MS = 5;

const GC_KINDS = new Map<number, GcPause['kind']>([
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weak'],
]);

/** The event loop of this process. */
export class NodeLoopProbe implements LoopProbe {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      // The types do not know what entries of the garbage collector have.
      const { detail } = entry as PerformanceEntry & { detail: { kind: number } };
      this.#pauses.push({ kind: GC_KINDS.get(detail.kind) ?? 'minor', ms: entry.duration });
    }
  });
  #pauses: GcPause[] = [];
  #waitedMs = waitedForProcessorMs();

  start(): void {
    this.#delay.enable();
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  stop(): void {
    this.#delay.disable();
    this.#observer.disconnect();
  }

  read(): LoopReading {
    const { max } = this.#delay;
    this.#delay.reset();
    const gcPauses = this.#pauses;
    this.#pauses = [];
    const before = this.#waitedMs;
    this.#waitedMs = waitedForProcessorMs();
    const waitedMs =
      this.#waitedMs === undefined || before === undefined ? undefined : this.#waitedMs - before;
    return { longestMs: Math.max(0, max / 1e6 - RESOLUTION_MS), gcPauses, waitedMs };
  }
}

/** Of the main thread, since it began; see Documentation/scheduler/sched-stats of Linux. */
function waitedForProcessorMs(): number | undefined {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return undefined;
  }
}
