import type { Clock, Timer } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { Startable } from '../../common/startable.ts';
import type { LoopProbe, LoopReading } from './loop-probe.ts';

/** How often the probe is read, milliseconds. */
const PERIOD_MS = 100;
/** The event loop is not to serve nobody for longer than this. */
const STRETCH_MAX_MS = 50;
/** Stretches are told at most this often. */
const TELL_EVERY_MS = 1_000;
/** Names of works that are kept for one period. */
const WORKS_MAX = 16;

/** What one period was like. Times are milliseconds. */
export interface LoopPeriod {
  /** The longest time for which nobody was served. */
  readonly longestMs: number;
  /** The part of it that was neither a wait for a processor nor the collector's. */
  readonly workMs: number;
  /** The longest pause of the garbage collector. */
  readonly gcMs: number;
  /** Why it took so long; undefined while it did not. */
  readonly cause: 'work' | 'gc' | 'processor' | undefined;
}

export interface EventLoopWatchComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly probe: LoopProbe;
  /** Told of each period, and what the probe read in it. */
  readonly onPeriod: (period: LoopPeriod, reading: LoopReading) => void;
}

/**
 * Watches over the event loop: whoever works for too long at a stretch delays heartbeats, and with
 * them everybody's belief that this manager is alive.
 */
export class EventLoopWatch implements Startable {
  readonly #components: EventLoopWatchComponents;
  #works = new Set<string>();
  #timer: Timer | undefined;
  #quietUntil = Number.NEGATIVE_INFINITY;

  constructor(components: EventLoopWatchComponents) {
    this.#components = components;
  }

  async start(): Promise<void> {
    this.#components.probe.start();
    this.#components.probe.read();
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#components.probe.stop();
  }

  /** Something that may take long begins: it is named if this period turns out to be a bad one. */
  note(what: string): void {
    if (this.#works.size < WORKS_MAX) this.#works.add(what);
  }

  #arm(): void {
    this.#timer = this.#components.clock.setTimer(PERIOD_MS, () => {
      this.#arm();
      this.#look();
    });
  }

  #look(): void {
    const { probe, onPeriod } = this.#components;
    const reading = probe.read();
    const period = judge(reading);
    onPeriod(period, reading);
    if (period.cause) this.#tell(period);
    if (this.#works.size > 0) this.#works = new Set();
  }

  #tell({ longestMs, workMs, gcMs, cause }: LoopPeriod): void {
    const { clock, logger } = this.#components;
    if (clock.monotonic() < this.#quietUntil) return;
    this.#quietUntil = clock.monotonic() + TELL_EVERY_MS;
    const details = {
      ms: Math.round(longestMs),
      workMs: Math.round(workMs),
      gcMs: Math.round(gcMs),
      works: [...this.#works],
    };
    const message = 'the event loop served nobody for too long';
    // Nothing that could be done about it here.
    if (cause === 'processor') logger.debug(details, message);
    else logger.warn(details, message);
  }
}

/** The wait for a processor is that of the whole period, so the work may come out a little too short. */
export function judge({ longestMs, gcPauses, waitedMs }: LoopReading): LoopPeriod {
  const gcMs = Math.max(0, ...gcPauses.map(({ ms }) => ms));
  const ownMs = Math.max(0, longestMs - waitedMs);
  const workMs = Math.max(0, ownMs - gcMs);
  return { longestMs, workMs, gcMs, cause: causeOf(longestMs, ownMs, workMs) };
}

function causeOf(longestMs: number, ownMs: number, workMs: number): LoopPeriod['cause'] {
  if (longestMs <= STRETCH_MAX_MS) return undefined;
  if (ownMs <= STRETCH_MAX_MS) return 'processor';
  return workMs <= STRETCH_MAX_MS ? 'gc' : 'work';
}
