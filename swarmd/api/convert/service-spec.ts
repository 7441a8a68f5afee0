import {
  type EndpointSpec,
  EndpointSpec_ResolutionMode as ResolutionMode,
  type ServiceSpec,
  type TaskSpec,
} from '../../../proto/gen/swarm/specs.ts';
import {
  UpdateConfig_FailureAction as FailureAction,
  UpdateConfig_UpdateOrder as Order,
  type UpdateConfig,
} from '../../../proto/gen/swarm/types.ts';
import { badRequest } from '../http/errors.ts';
import type { JsonReader } from '../http/json-reader.ts';
import {
  annotationsFromApi,
  annotationsToApi,
  durationFromApi,
  durationToApi,
  nonEmptyList,
  optional,
  portFromApi,
  portToApi,
  words,
} from './common.ts';
import { attachmentConfigFromApi, taskSpecFromApi } from './task-spec-from-api.ts';
import { attachmentConfigToApi, taskSpecToApi } from './task-spec-to-api.ts';

const NO_TASK: TaskSpec = { networks: [], forceUpdate: 0, resourceReferences: [] };

export function serviceSpecToApi(spec: ServiceSpec) {
  return {
    ...annotationsToApi(spec.annotations),
    TaskTemplate: taskSpecToApi(spec.task ?? NO_TASK),
    Mode: modeToApi(spec.mode),
    ...optional('UpdateConfig', spec.update && updateConfigToApi(spec.update)),
    ...optional('RollbackConfig', spec.rollback && updateConfigToApi(spec.rollback)),
    ...nonEmptyList('Networks', spec.networks.map(attachmentConfigToApi)),
    ...optional('EndpointSpec', spec.endpoint && endpointSpecToApi(spec.endpoint)),
  };
}

/** The spec as sent, with the mode filled in: one replica when nothing is said. */
export function serviceSpecFromApi(json: JsonReader): ServiceSpec {
  const task = json.object('TaskTemplate');
  const update = json.object('UpdateConfig');
  const rollback = json.object('RollbackConfig');
  const endpoint = json.object('EndpointSpec');
  return {
    annotations: annotationsFromApi(json),
    task: task ? taskSpecFromApi(task) : NO_TASK,
    mode: modeFromApi(json.object('Mode')),
    update: update && updateConfigFromApi(update),
    rollback: rollback && updateConfigFromApi(rollback),
    networks: json.objects('Networks').map(attachmentConfigFromApi),
    endpoint: endpoint && endpointSpecFromApi(endpoint),
  };
}

const resolutionModes = words({ vip: ResolutionMode.VIP, dnsrr: ResolutionMode.DNSRR });

export function endpointSpecToApi(endpoint: EndpointSpec) {
  return {
    Mode: resolutionModes.toWord(endpoint.mode),
    ...nonEmptyList('Ports', endpoint.ports.map(portToApi)),
  };
}

function endpointSpecFromApi(json: JsonReader): EndpointSpec {
  return {
    mode: resolutionModes.fromField(json, 'Mode', ResolutionMode.VIP),
    ports: json.objects('Ports').map(portFromApi),
  };
}

/** The word of a service's mode, as in the filter `mode`. */
export function modeOf(spec: ServiceSpec | undefined): string {
  switch (spec?.mode?.$case) {
    case 'global':
      return 'global';
    case 'replicatedJob':
      return 'replicated-job';
    case 'globalJob':
      return 'global-job';
    default:
      return 'replicated';
  }
}

function modeToApi(mode: ServiceSpec['mode']) {
  switch (mode?.$case) {
    case 'global':
      return { Global: {} };
    case 'globalJob':
      return { GlobalJob: {} };
    case 'replicatedJob': {
      const { maxConcurrent, totalCompletions } = mode.replicatedJob;
      return {
        ReplicatedJob: { MaxConcurrent: maxConcurrent, TotalCompletions: totalCompletions },
      };
    }
    default:
      return { Replicated: { Replicas: mode?.replicated.replicas ?? 1 } };
  }
}

function modeFromApi(json: JsonReader | undefined): ServiceSpec['mode'] {
  const given = ['Replicated', 'Global', 'ReplicatedJob', 'GlobalJob'].filter((key) =>
    json?.has(key),
  );
  if (given.length > 1) {
    throw badRequest(`must specify only one service mode, found ${given.join(' and ')}`);
  }
  const job = json?.object('ReplicatedJob');
  if (job) {
    const maxConcurrent = job.optionalCount('MaxConcurrent') ?? 1;
    const totalCompletions = job.optionalCount('TotalCompletions') ?? maxConcurrent;
    return { $case: 'replicatedJob', replicatedJob: { maxConcurrent, totalCompletions } };
  }
  if (json?.has('GlobalJob')) return { $case: 'globalJob', globalJob: {} };
  if (json?.has('Global')) return { $case: 'global', global: {} };
  const replicas = json?.object('Replicated')?.optionalCount('Replicas') ?? 1;
  return { $case: 'replicated', replicated: { replicas } };
}

const failureActions = words({
  pause: FailureAction.PAUSE,
  continue: FailureAction.CONTINUE,
  rollback: FailureAction.ROLLBACK,
});
const orders = words({ 'stop-first': Order.STOP_FIRST, 'start-first': Order.START_FIRST });

function updateConfigToApi(config: UpdateConfig) {
  return {
    Parallelism: config.parallelism,
    ...durationToApi('Delay', config.delay),
    FailureAction: failureActions.toWord(config.failureAction),
    ...durationToApi('Monitor', config.monitor),
    MaxFailureRatio: shortest(config.maxFailureRatio),
    Order: orders.toWord(config.order),
  };
}

function updateConfigFromApi(json: JsonReader): UpdateConfig {
  const ratio = json.number('MaxFailureRatio');
  if (!(ratio >= 0 && ratio <= 1)) json.fail('MaxFailureRatio', 'between 0 and 1');
  return {
    parallelism: json.count('Parallelism'),
    delay: durationFromApi(json, 'Delay'),
    failureAction: failureActions.fromField(json, 'FailureAction', FailureAction.PAUSE),
    monitor: durationFromApi(json, 'Monitor'),
    maxFailureRatio: Math.fround(ratio),
    order: orders.fromField(json, 'Order', Order.STOP_FIRST),
  };
}

/** The fewest digits that name this 32-bit float: 0.1, not 0.10000000149011612. */
function shortest(float: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(float.toPrecision(digits));
    if (Math.fround(candidate) === Math.fround(float)) return candidate;
  }
  return float;
}
