import type { Clock } from './clock.ts';

export interface Deadline {
  readonly signal: AbortSignal;
  /** Whether the time is over, as opposed to one of the other signals having come. */
  readonly isOver: boolean;
  /** To be called when it is not needed any more. */
  cancel(): void;
}

/**
 * A signal that aborts after `ms` of `clock`, or with the first of `signals`. The combination of
 * `AbortSignal.any` and `AbortSignal.timeout` is not to be trusted with that: in Node 20 garbage
 * collection takes the timeout away, and whoever waits does so for ever.
 */
export function deadline(
  clock: Pick<Clock, 'setTimer'>,
  ms: number,
  ...signals: readonly AbortSignal[]
): Deadline {
  // The timer holds the controller, and so its signal.
  const late = new AbortController();
  const timer = clock.setTimer(ms, () => late.abort(new Error(`not within ${ms} ms`)));
  return {
    signal: AbortSignal.any([late.signal, ...signals]),
    get isOver() {
      return late.signal.aborted;
    },
    cancel: () => timer.cancel(),
  };
}
