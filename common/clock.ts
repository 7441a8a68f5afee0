/** Time as it is passed in: pure code never asks the machine. All values are milliseconds. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Never goes back; its zero has no meaning. */
  monotonic(): number;
  /**
   * Calls `fn` once after `ms`, however long that is; never if it is Infinity. The returned timer does
   * not keep the process alive.
   */
  setTimer(ms: number, fn: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(ms, fn) {
    let handle: NodeJS.Timeout;
    const wait = (left: number) => {
      const part = Math.min(left, TIMEOUT_MAX_MS);
      handle = setTimeout(() => (left > part ? wait(left - part) : fn()), part);
      handle.unref();
    };
    wait(ms);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** The longest that Node can wait at once. What is longer would fire after a millisecond. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** Resolves after `ms` of `clock`; rejects with the signal's reason when aborted first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
