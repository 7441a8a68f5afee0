/**
 * The longest time between `from` and `to` in which nothing was acknowledged, milliseconds. `times`
 * are in order.
 */
export function longestGap(times: readonly number[], from: number, to: number): number {
  let last = from;
  let longest = 0;
  for (const time of times) {
    if (time <= from) continue;
    if (time >= to) break;
    longest = Math.max(longest, time - last);
    last = time;
  }
  return Math.max(longest, to - last);
}

/** Between the two in the middle, if there are two. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}
