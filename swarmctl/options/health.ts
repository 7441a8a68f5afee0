import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { given } from './given.ts';
import { parseCount, parseDuration } from './parse.ts';

export interface HealthFlags {
  healthCmd?: string;
  healthInterval?: number;
  healthRetries?: number;
  healthStartInterval?: number;
  healthStartPeriod?: number;
  healthTimeout?: number;
  /** `false` with --no-healthcheck. */
  healthcheck?: boolean;
}

export function addHealthFlags(command: Command): Command {
  return command
    .option('--health-cmd <command>', 'command that tells its health')
    .option('--health-interval <duration>', 'time between checks', parseDuration)
    .option('--health-retries <n>', 'failures in a row that make it unhealthy', parseCount)
    .option('--health-start-interval <duration>', 'interval while it starts', parseDuration)
    .option('--health-start-period <duration>', 'time before failures count', parseDuration)
    .option('--health-timeout <duration>', 'longest time of a check', parseDuration)
    .option('--no-healthcheck', "without the image's health check");
}

/** The API's `Healthcheck` with what the flags set; the rest is taken from `before`. */
export function healthcheckOf(
  flags: HealthFlags,
  { before, exitCode }: { before?: object | undefined; exitCode?: number } = {},
): Record<string, unknown> | undefined {
  const set = given({
    Test: flags.healthCmd === undefined ? undefined : ['CMD-SHELL', flags.healthCmd],
    Interval: flags.healthInterval,
    Timeout: flags.healthTimeout,
    Retries: flags.healthRetries,
    StartPeriod: flags.healthStartPeriod,
    StartInterval: flags.healthStartInterval,
  });
  const isEmpty = Object.keys(set).length === 0;
  if (flags.healthcheck !== false) return isEmpty ? undefined : { ...before, ...set };
  if (isEmpty) return { Test: ['NONE'] };
  throw new CliError('--no-healthcheck conflicts with --health-* options', exitCode);
}
