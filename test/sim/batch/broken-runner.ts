/** For the tests of a batch: a process that does nothing, and ends with seed 2. */
import type { Order, Outcome } from './messages.ts';

process.on('message', ({ seed }: Order) => {
  if (seed === 2) process.exit(7);
  const counts = { events: 0, virtualMs: 0, entries: 0, elections: 0, operations: 0, rss: 0 };
  const outcome: Outcome = { seed, hash: '', ...counts, failure: undefined };
  process.send?.(outcome);
});
process.on('disconnect', () => process.exit());
