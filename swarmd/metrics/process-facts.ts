import type { ProcessFacts } from './metrics.ts';

/** What this process knows of itself. */
export function processFacts(): ProcessFacts {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  const startedAt = Math.round(performance.timeOrigin) / 1000;
  return { cpuSeconds: (user + system) / 1e6, startedAt, rss, heapUsed, heapTotal, external };
}
