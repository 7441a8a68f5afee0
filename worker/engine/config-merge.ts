import { SwarmError } from '../../common/errors.ts';
import type { ContainerConfig, HealthcheckConfig } from './types.ts';

/**
 * A container's configuration on top of its image's. A command given without entry point keeps the
 * image's entry point; an entry point of one's own drops the image's command. Throws
 * SWM_INVALID_ARGUMENT when nothing is left to run.
 */
export function mergeConfig(
  own: ContainerConfig,
  image: Partial<ContainerConfig>,
): ContainerConfig {
  const ownEntrypoint = own.Entrypoint ?? [];
  // `--entrypoint ""` comes as one empty string and clears the image's.
  const cleared = ownEntrypoint.length === 1 && ownEntrypoint[0] === '';
  const keepsEntrypoint = ownEntrypoint.length === 0;
  const ownCommand = own.Cmd ?? [];
  const entrypoint = cleared ? [] : keepsEntrypoint ? (image.Entrypoint ?? []) : ownEntrypoint;
  const command = ownCommand.length > 0 ? ownCommand : keepsEntrypoint ? (image.Cmd ?? []) : [];
  if (entrypoint.length + command.length === 0) {
    throw new SwarmError('SWM_INVALID_ARGUMENT', 'no command specified');
  }
  const healthcheck = mergeHealthcheck(own.Healthcheck, image.Healthcheck);
  const stopSignal = own.StopSignal || image.StopSignal;
  return {
    ...own,
    User: own.User || image.User || '',
    ExposedPorts: { ...image.ExposedPorts, ...own.ExposedPorts },
    Env: mergeEnvironment(image.Env ?? [], own.Env ?? []),
    Cmd: command,
    Entrypoint: entrypoint.length > 0 ? [...entrypoint] : null,
    Volumes: { ...image.Volumes, ...own.Volumes },
    WorkingDir: own.WorkingDir || image.WorkingDir || '',
    Labels: { ...image.Labels, ...own.Labels },
    ...(stopSignal ? { StopSignal: stopSignal } : {}),
    ...(healthcheck ? { Healthcheck: healthcheck } : {}),
  };
}

/** The image's variables that the container does not set, after the container's own. */
function mergeEnvironment(image: readonly string[], own: readonly string[]): string[] {
  const name = (entry: string) => entry.split('=', 1)[0] as string;
  const set = new Set(own.map(name));
  return [...own, ...image.filter((entry) => !set.has(name(entry)))];
}

function mergeHealthcheck(
  own: HealthcheckConfig | null | undefined,
  image: HealthcheckConfig | null | undefined,
): HealthcheckConfig | undefined {
  if (!own) return image ?? undefined;
  if (!image) return own;
  const test = own.Test && own.Test.length > 0 ? own.Test : image.Test;
  return {
    ...(test ? { Test: test } : {}),
    Interval: own.Interval || image.Interval || 0,
    Timeout: own.Timeout || image.Timeout || 0,
    StartPeriod: own.StartPeriod || image.StartPeriod || 0,
    StartInterval: own.StartInterval || image.StartInterval || 0,
    Retries: own.Retries || image.Retries || 0,
  };
}
