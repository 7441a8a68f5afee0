import { ZERO_TIME } from './http/time.ts';

type Sample = Readonly<Record<string, unknown>>;

/**
 * A sample with what the one before it said of the CPU, from which clients compute rates. The first
 * sample has an empty predecessor.
 */
export function withPrevious(sample: Sample, previous: Sample): Record<string, unknown> {
  return {
    ...sample,
    preread: previous['read'] ?? ZERO_TIME,
    precpu_stats: previous['cpu_stats'] ?? {
      cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
      throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
    },
  };
}
