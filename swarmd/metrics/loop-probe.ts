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
   * How long, all in all, its thread could have run and no processor was free, or the machine itself
   * was not run by its host. 0 where the kernel does not tell.
   */
  readonly waitedMs: number;
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
    const waitedMs = this.#waitedMs - before;
    return { longestMs: Math.max(0, max / 1e6 - RESOLUTION_MS), gcPauses, waitedMs };
  }
}

/** Milliseconds of one unit of /proc/stat: USER_HZ is 100 on every Linux that Node runs on. */
const TICK_MS = 10;

/** Since the thread and the machine began. */
function waitedForProcessorMs(): number {
  // Time on a run queue, see Documentation/scheduler/sched-stats of Linux; of the main thread.
  const queuedNs = Number(read('/proc/self/schedstat').split(' ')[1] ?? 0);
  // The first line sums up all processors: cpu, user, nice, system, idle, iowait, irq, softirq, steal.
  const stolen = Number(read('/proc/stat').split('\n', 1)[0]?.split(/ +/)[8] ?? 0);
  return queuedNs / 1e6 + stolen * TICK_MS;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
