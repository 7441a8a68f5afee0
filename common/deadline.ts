import { onAbort, unlessAborted } from './abort.ts';
import type { Clock } from './clock.ts';

type Timers = Pick<Clock, 'setTimer'>;

export interface Deadline {
  readonly signal: AbortSignal;
  /** Whether `signal` aborted because the time was over, and not because of one of the other signals. */
  readonly isOver: boolean;
  /** Takes back the timer and the listeners at the other signals. `signal` aborts no more. */
  cancel(): void;
}

/**
 * A signal that aborts after `ms` of `clock` (Infinity: never), or with the reason of the first of
 * `signals` that aborts. To be cancelled in the end.
 *
 * It stands in for `AbortSignal.any` and `AbortSignal.timeout`, which are broken in Node 20: a timeout
 * that is part of an `any` may be garbage collected before it aborts, so that those who wait for it
 * wait for ever; and a long-lived signal keeps a reference for every `any` that it was ever part of.
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
  /** Makes the error that is thrown when the time is over. */
  readonly late: () => Error;
  /** Ends the wait before that; its reason is then thrown. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The outcome of `work`, which is waited for no longer than the limit says. The signal that `work` gets
 * is aborted then, but nobody waits for it to stop.
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
 * Whether `work` ends within `ms` and before `signal` is aborted. It is not stopped otherwise. Rejects
 * when `work` rejects within that time; a later rejection is ignored.
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
