/**
 * Calls `listener` when `signal` is aborted, at once if it already is. Returns a function that removes
 * the listener. It has to be called: a signal keeps its listeners for as long as it lives.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) {
    listener();
    return () => {};
  }
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

/**
 * Settles as `work` does, or rejects with the signal's reason if that is aborted first. `work` itself is
 * not stopped, and a later rejection of it is ignored.
 */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => reject(signal.reason));
    work.then(resolve, reject).finally(forget);
  });
}
