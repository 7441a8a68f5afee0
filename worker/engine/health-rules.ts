import type { ContainerConfig, ContainerState } from './types.ts';

/** A health check with every default filled in. */
export interface HealthPlan {
  readonly args: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
}

const NS_PER_MS = 1e6;
const DEFAULT_INTERVAL_MS = 30_000;
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_START_INTERVAL_MS = 5_000;
const DEFAULT_RETRIES = 3;

/** Undefined when there is nothing to probe. */
export function healthPlan(config: ContainerConfig): HealthPlan | undefined {
  const check = config.Healthcheck;
  const args = probeArgs(check?.Test ?? []);
  if (!check || !args) return undefined;
  const ms = (ns: number | undefined, fallback: number) => (ns ? ns / NS_PER_MS : fallback);
  return {
    args,
    intervalMs: ms(check.Interval, DEFAULT_INTERVAL_MS),
    timeoutMs: ms(check.Timeout, DEFAULT_TIMEOUT_MS),
    startPeriodMs: ms(check.StartPeriod, 0),
    startIntervalMs: ms(check.StartInterval, DEFAULT_START_INTERVAL_MS),
    retries: check.Retries || DEFAULT_RETRIES,
  };
}

/** How long to wait before the next probe. */
export function probeDelay(
  plan: HealthPlan,
  now: { health: ContainerState['health']; runningForMs: number },
): number {
  const starting = now.health === 'starting' && now.runningForMs < plan.startPeriodMs;
  return starting ? plan.startIntervalMs : plan.intervalMs;
}

/** What a probe's result makes of a container: failures in the start period do not count. */
export function evaluateProbe(
  plan: HealthPlan,
  probe: {
    health: ContainerState['health'];
    failingStreak: number;
    passed: boolean;
    sinceStartMs: number;
  },
): { health: ContainerState['health']; failingStreak: number } {
  if (probe.passed) return { health: 'healthy', failingStreak: 0 };
  if (probe.health === 'starting' && probe.sinceStartMs < plan.startPeriodMs) {
    return { health: 'starting', failingStreak: probe.failingStreak };
  }
  const failingStreak = probe.failingStreak + 1;
  const health = failingStreak >= plan.retries ? 'unhealthy' : probe.health;
  return { health, failingStreak };
}

function probeArgs(test: readonly string[]): string[] | undefined {
  const [kind, ...args] = test;
  if (kind === 'CMD' && args.length > 0) return args;
  if (kind === 'CMD-SHELL' && args[0]) return ['/bin/sh', '-c', args[0]];
  return undefined;
}
