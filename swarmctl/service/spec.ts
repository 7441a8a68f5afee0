import { CliError } from '../cli-error.ts';
import type {
  ContainerSpec,
  ServiceMode,
  ServiceSpec,
  TaskTemplate,
  UpdateConfig,
} from '../commands/api-types.ts';
import { given } from '../options/given.ts';
import { healthcheckOf } from '../options/health.ts';
import { toMap } from '../options/parse.ts';
import { type CommonFlags, splitCommand } from './flags.ts';

function orUndefined<T extends object>(value: T): T | undefined {
  return Object.keys(value).length > 0 ? value : undefined;
}

/** The one-value options of create and update, laid over what the service has. */
export function applyCommonFlags(spec: ServiceSpec, flags: CommonFlags): ServiceSpec {
  const update = updateConfig(spec.UpdateConfig, flags, 'update');
  const rollback = updateConfig(spec.RollbackConfig, flags, 'rollback');
  const endpoint = { ...spec.EndpointSpec, ...given({ Mode: flags.endpointMode }) };
  return {
    ...spec,
    TaskTemplate: taskTemplate(spec.TaskTemplate, flags),
    ...given({
      Mode: scaledMode(spec.Mode, flags),
      UpdateConfig: update,
      RollbackConfig: rollback,
      EndpointSpec: orUndefined(endpoint),
    }),
  };
}

function taskTemplate(task: TaskTemplate, flags: CommonFlags): TaskTemplate {
  return {
    ...task,
    ContainerSpec: containerSpec(task.ContainerSpec as ContainerSpec, flags),
    Resources: {
      Limits: {
        ...task.Resources?.Limits,
        ...given({
          NanoCPUs: flags.limitCpu,
          MemoryBytes: flags.limitMemory,
          Pids: flags.limitPids,
        }),
      },
      Reservations: {
        ...task.Resources?.Reservations,
        ...given({ NanoCPUs: flags.reserveCpu, MemoryBytes: flags.reserveMemory }),
      },
    },
    ...given({
      RestartPolicy: restartPolicy(task, flags),
      Placement: orUndefined({
        ...task.Placement,
        ...given({ MaxReplicas: flags.replicasMaxPerNode }),
      }),
      LogDriver: logDriver(task, flags),
    }),
  };
}

function containerSpec(container: ContainerSpec, flags: CommonFlags): ContainerSpec {
  return {
    ...container,
    ...given({
      Command: flags.entrypoint === undefined ? undefined : splitCommand(flags.entrypoint),
      Hostname: flags.hostname,
      Init: flags.init,
      Dir: flags.workdir,
      User: flags.user,
      TTY: flags.tty,
      ReadOnly: flags.readOnly,
      StopSignal: flags.stopSignal,
      StopGracePeriod: flags.stopGracePeriod,
      OomScoreAdj: flags.oomScoreAdj,
      Healthcheck: healthcheckOf(flags, { before: container.Healthcheck }),
    }),
  };
}

function restartPolicy(task: TaskTemplate, flags: CommonFlags) {
  const set = given({
    Condition: flags.restartCondition,
    Delay: flags.restartDelay,
    MaxAttempts: flags.restartMaxAttempts,
    Window: flags.restartWindow,
  });
  return Object.keys(set).length === 0 ? undefined : { ...task.RestartPolicy, ...set };
}

function logDriver(task: TaskTemplate, flags: CommonFlags) {
  if (flags.logDriver === undefined && flags.logOpt === undefined) return undefined;
  const name = flags.logDriver ?? task.LogDriver?.Name;
  if (!name) throw new CliError('--log-opt needs --log-driver');
  return { Name: name, Options: toMap(flags.logOpt) };
}

function updateConfig(
  before: UpdateConfig | undefined,
  flags: CommonFlags,
  kind: 'update' | 'rollback',
): UpdateConfig | undefined {
  const flag = (name: string) => flags[`${kind}${name}` as keyof CommonFlags];
  const set = given({
    Parallelism: flag('Parallelism'),
    Delay: flag('Delay'),
    FailureAction: flag('FailureAction'),
    Monitor: flag('Monitor'),
    MaxFailureRatio: flag('MaxFailureRatio'),
    Order: flag('Order'),
  }) as UpdateConfig;
  if (Object.keys(set).length === 0) return undefined;
  return { ...(before ?? DEFAULT_UPDATE), ...set };
}

const DEFAULT_UPDATE: UpdateConfig = {
  Parallelism: 1,
  FailureAction: 'pause',
  Monitor: 5e9,
  MaxFailureRatio: 0,
  Order: 'stop-first',
};

function scaledMode(mode: ServiceMode | undefined, flags: CommonFlags): ServiceMode | undefined {
  const { replicas, maxConcurrent } = flags;
  if (replicas === undefined && maxConcurrent === undefined) return undefined;
  if (mode?.ReplicatedJob) {
    return {
      ReplicatedJob: {
        ...mode.ReplicatedJob,
        ...given({ TotalCompletions: replicas, MaxConcurrent: maxConcurrent ?? replicas }),
      },
    };
  }
  if (maxConcurrent !== undefined) {
    throw new CliError('max-concurrent can only be used with replicated-job mode');
  }
  if (mode?.Global || mode?.GlobalJob) {
    throw new CliError('replicas can only be used with replicated or replicated-job mode');
  }
  return { Replicated: given({ Replicas: replicas }) };
}
