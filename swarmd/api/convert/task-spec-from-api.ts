import {
  RestartPolicy_RestartCondition as Condition,
  type NetworkAttachmentConfig,
  type Placement,
  type RestartPolicy,
  type TaskSpec,
} from '../../../proto/gen/swarm/specs.ts';
import type { ResourceRequirements, Resources } from '../../../proto/gen/swarm/types.ts';
import { badRequest, notImplemented } from '../http/errors.ts';
import type { JsonReader } from '../http/json-reader.ts';
import { driverFromApi, durationFromApi, genericResourcesFromApi } from './common.ts';
import { containerSpecFromApi } from './container-spec-from-api.ts';
import { restartConditions } from './task-spec-to-api.ts';

/** Throws SWM_NOT_IMPLEMENTED for runtimes other than containers. */
export function taskSpecFromApi(json: JsonReader): TaskSpec {
  checkRuntime(json);
  const container = json.object('ContainerSpec');
  const resources = json.object('Resources');
  const restart = json.object('RestartPolicy');
  const placement = json.object('Placement');
  const pids = resources?.object('Limits')?.integer('Pids') ?? 0;
  return {
    runtime: container && {
      $case: 'container',
      container: containerSpecFromApi(container, Math.max(pids, 0)),
    },
    resources: resources && resourcesFromApi(resources),
    restart: restart && restartFromApi(restart),
    placement: placement && placementFromApi(placement),
    logDriver: driverFromApi(json.object('LogDriver')),
    networks: json.objects('Networks').map(attachmentConfigFromApi),
    forceUpdate: json.count('ForceUpdate'),
    resourceReferences: [],
  };
}

export function attachmentConfigFromApi(json: JsonReader): NetworkAttachmentConfig {
  return {
    target: json.string('Target'),
    aliases: json.strings('Aliases'),
    addresses: [],
    driverAttachmentOpts: json.stringMap('DriverOpts'),
  };
}

function checkRuntime(json: JsonReader): void {
  const runtime = json.string('Runtime');
  if (runtime === 'plugin' || json.has('PluginSpec')) {
    throw notImplemented('services of plugins are not supported: only the runtime "container" is');
  }
  if (json.has('NetworkAttachmentSpec')) {
    throw badRequest('invalid task spec: network attachments are made by containers, not services');
  }
  if (runtime !== '' && runtime !== 'container') {
    throw badRequest(`unsupported runtime: wanted "container", found "${runtime}"`);
  }
}

function resourcesFromApi(json: JsonReader): ResourceRequirements {
  const limits = json.object('Limits');
  const reservations = json.object('Reservations');
  return {
    limits: limits && amountsFromApi(limits),
    reservations: reservations && amountsFromApi(reservations),
    swapBytes: json.optionalInteger('SwapBytes'),
    memorySwappiness: json.optionalInteger('MemorySwappiness'),
  };
}

function amountsFromApi(json: JsonReader): Resources {
  return {
    nanoCpus: json.integer('NanoCPUs'),
    memoryBytes: json.integer('MemoryBytes'),
    generic: genericResourcesFromApi(json.objects('GenericResources')),
  };
}

function restartFromApi(json: JsonReader): RestartPolicy {
  return {
    condition: restartConditions.fromField(json, 'Condition', Condition.ANY),
    delay: durationFromApi(json, 'Delay'),
    maxAttempts: json.count('MaxAttempts'),
    window: durationFromApi(json, 'Window'),
  };
}

function placementFromApi(json: JsonReader): Placement {
  return {
    constraints: json.strings('Constraints'),
    preferences: json.objects('Preferences').flatMap((item) => {
      const spread = item.object('Spread');
      if (!spread) return [];
      const spreadDescriptor = spread.string('SpreadDescriptor');
      return [{ preference: { $case: 'spread' as const, spread: { spreadDescriptor } } }];
    }),
    platforms: json.objects('Platforms').map((item) => ({
      architecture: item.string('Architecture'),
      os: item.string('OS'),
    })),
    maxReplicas: json.count('MaxReplicas'),
  };
}
