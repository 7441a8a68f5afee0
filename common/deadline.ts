import { onAbort, unlessAborted } from './abort.ts';
import type { Clock } from './clock.ts';

type Timers = Pick<Clock, 'setTimer'>;

export interface Deadline {
  readonly signal: AbortSignal;
  /** Whether the time is over, as opposed to one of the other signals having come. */
  readonly isOver: boolean;
  /** To be called when it is not needed any more. */
  cancel(): void;
}

/**
 * A signal that aborts after `ms` of `clock` (or never, when that is Infinity), or with the first of
 * `signals`. What Node 20 has for that
 * is not to be trusted: garbage collection takes an `AbortSignal.timeout` away that is part of an
 * `AbortSignal.any`, so that whoever waits does so for ever, and a signal that lives long keeps a
 * trace of every `any` that it was ever part of.
 */
export function deadline(
  clock: Timers,
  ms: number,
  ...signals: readonly (AbortSignal | undefined)[]
): Deadline {
  const end = new AbortController();
  let isOver = false;
  const links = signals.map((signal) => signal && onAbort(signal, () => end.abort(signal.reason)));
  const onTime = () => {
    isOver = !end.signal.aborted;
    end.abort(new Error(`not within ${ms} ms`));
  };
  const timer = Number.isFinite(ms) ? clock.setTimer(ms, onTime) : undefined;
  return {
    signal: end.signal,
    get isOver() {
      return isOver;
    },
    cancel() {
      timer?.cancel();
      for (const unlink of links) unlink?.();
    },
  };
}

export interface TimeLimit {
  readonly ms: number;
  /** What is thrown when the time is over. */
  readonly late: () => Error;
  /** Ends the work as well, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The outcome of `work`, which is waited for no longer than the limit says. Its signal is aborted then;
 * whether it heeds that is its own affair.
 */
export async function within<T>(
  clock: Timers,
  { ms, late, signal }: TimeLimit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = deadline(clock, ms, signal);
  try {
    limit.signal.throwIfAborted();
    return await unlessAborted(work(limit.signal), limit.signal);
  } catch (error) {
    throw limit.isOver ? late() : error;
  } finally {
    limit.cancel();
  }
}

/**
 * Whether `work`, which goes on in any case, has ended within `ms`, or before `signal` was aborted.
 * Rejects as `work` does within that time.
 */
export async function endsWithin(
  clock: Timers,
  ms: number,
  work: Promise<unknown>,
  signal?: AbortSignal,
): Promise<boolean> {
  const limit = deadline(clock, ms, signal);
  try {
    await unlessAborted(work, limit.signal);
    return true;
  } catch (error) {
    if (limit.signal.aborted) return false;
    throw error;
  } finally {
    limit.cancel();
  }
}
