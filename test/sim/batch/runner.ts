/** A process of a batch: runs the seeds that it is sent, one after the other, until nobody sends any more. */
import { runSimulation } from '../run.ts';
import type { Order, Outcome } from './messages.ts';

process.on('message', async (order: Order) => {
  const { failure, ...result } = await runSimulation(order);
  const outcome: Outcome = {
    ...result,
    failure: failure && `${failure.message}`,
    rss: process.memoryUsage.rss(),
  };
  process.send?.(outcome);
});
process.on('disconnect', () => process.exit());
