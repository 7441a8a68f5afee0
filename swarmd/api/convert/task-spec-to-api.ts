import type {
  NetworkAttachmentConfig,
  Placement,
  RestartPolicy,
  TaskSpec,
} from '../../../proto/gen/swarm/specs.ts';
import { RestartPolicy_RestartCondition as Condition } from '../../../proto/gen/swarm/specs.ts';
import type { Resources } from '../../../proto/gen/swarm/types.ts';
import {
  driverToApi,
  durationToApi,
  genericResourcesToApi,
  nonEmptyList,
  nonEmptyMap,
  nonZero,
  optional,
  words,
} from './common.ts';
import { containerSpecToApi } from './container-spec-to-api.ts';

export const restartConditions = words({
  none: Condition.NONE,
  'on-failure': Condition.ON_FAILURE,
  any: Condition.ANY,
});

export function taskSpecToApi(spec: TaskSpec) {
  return {
    ...runtimeToApi(spec),
    ...optional('Resources', resourcesToApi(spec)),
    ...optional('RestartPolicy', spec.restart && restartToApi(spec.restart)),
    ...optional('Placement', spec.placement && placementToApi(spec.placement)),
    ...nonEmptyList('Networks', spec.networks.map(attachmentConfigToApi)),
    ...optional('LogDriver', driverToApi(spec.logDriver)),
    ForceUpdate: spec.forceUpdate,
    Runtime: runtimeOf(spec),
  };
}

/** The word of a task's runtime, as in `TaskSpec.Runtime` and the filter `runtime`. */
export function runtimeOf(spec: TaskSpec | undefined): string {
  if (spec?.runtime?.$case === 'attachment') return 'attachment';
  if (spec?.runtime?.$case === 'generic') return spec.runtime.generic.kind || 'plugin';
  return 'container';
}

export function attachmentConfigToApi(config: NetworkAttachmentConfig) {
  return {
    Target: config.target,
    ...nonEmptyList('Aliases', config.aliases),
    ...nonEmptyMap('DriverOpts', config.driverAttachmentOpts),
  };
}

function runtimeToApi({ runtime }: TaskSpec) {
  if (runtime?.$case === 'container')
    return { ContainerSpec: containerSpecToApi(runtime.container) };
  if (runtime?.$case === 'attachment') {
    return { NetworkAttachmentSpec: { ContainerID: runtime.attachment.containerId } };
  }
  return {};
}

/** The limit of processes is a resource in the API and a part of the container in our spec. */
function resourcesToApi(spec: TaskSpec) {
  const resources = spec.resources;
  if (!resources) return undefined;
  const pids = spec.runtime?.$case === 'container' ? spec.runtime.container.pidsLimit : 0;
  const limits = resources.limits;
  const { swapBytes, memorySwappiness } = resources;
  return {
    ...optional('Limits', limits && { ...amountsToApi(limits), ...nonZero('Pids', pids) }),
    ...optional('Reservations', resources.reservations && amountsToApi(resources.reservations)),
    ...optional('SwapBytes', swapBytes),
    ...optional('MemorySwappiness', memorySwappiness),
  };
}

export function amountsToApi(resources: Resources) {
  return {
    ...nonZero('NanoCPUs', resources.nanoCpus),
    ...nonZero('MemoryBytes', resources.memoryBytes),
    ...nonEmptyList('GenericResources', genericResourcesToApi(resources.generic)),
  };
}

function restartToApi(policy: RestartPolicy) {
  return {
    Condition: restartConditions.toWord(policy.condition),
    ...durationToApi('Delay', policy.delay),
    MaxAttempts: policy.maxAttempts,
    ...durationToApi('Window', policy.window),
  };
}

function placementToApi(placement: Placement) {
  const preferences = placement.preferences.flatMap(({ preference }) =>
    preference?.$case === 'spread'
      ? [{ Spread: { SpreadDescriptor: preference.spread.spreadDescriptor } }]
      : [],
  );
  const platforms = placement.platforms.map(({ architecture, os }) => ({
    ...(architecture ? { Architecture: architecture } : {}),
    ...(os ? { OS: os } : {}),
  }));
  return {
    ...nonEmptyList('Constraints', placement.constraints),
    ...nonEmptyList('Preferences', preferences),
    ...nonZero('MaxReplicas', placement.maxReplicas),
    ...nonEmptyList('Platforms', platforms),
  };
}
