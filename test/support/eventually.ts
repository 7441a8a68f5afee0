/** Ends a test that cannot pass any more; no measure of speed, since the machine may be busy. */
export const DEADLINE_MS = 60_000;
const POLL_MS = 20;

/** Repeats `check` until it does not throw, at most `deadlineMs`; then throws what it threw last. */
export async function eventually<T>(
  check: () => T | Promise<T>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() >= end) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
