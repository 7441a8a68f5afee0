/**
 * Lets the event loop breathe: netlink calls are short, but a burst of thirty containers would run
 * all of theirs in one go, microtask after microtask.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
