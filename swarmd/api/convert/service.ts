import type { Endpoint, Service } from '../../../proto/gen/swarm/objects.ts';
import {
  type JobStatus,
  UpdateStatus_UpdateState as UpdateState,
  type UpdateStatus,
} from '../../../proto/gen/swarm/types.ts';
import { rfc3339 } from '../http/time.ts';
import { metaToApi, nonEmptyList, optional, portToApi, words } from './common.ts';
import { withDefaults } from './service-defaults.ts';
import { endpointSpecToApi, serviceSpecToApi } from './service-spec.ts';

/** How many tasks of a service there are and should be: `ServiceStatus` of the API. */
export interface ServiceCounts {
  readonly RunningTasks: number;
  readonly DesiredTasks: number;
  readonly CompletedTasks: number;
}

export interface ServiceToApiInit {
  /** Show what an unset field of the spec means. */
  insertDefaults?: boolean;
  counts?: ServiceCounts | undefined;
}

export function serviceToApi(service: Service, init: ServiceToApiInit = {}) {
  const specToApi = (spec: NonNullable<Service['spec']>) =>
    serviceSpecToApi(init.insertDefaults ? withDefaults(spec) : spec);
  return {
    ID: service.id,
    ...metaToApi(service.meta),
    ...optional('Spec', service.spec && specToApi(service.spec)),
    ...optional('PreviousSpec', service.previousSpec && specToApi(service.previousSpec)),
    Endpoint: endpointToApi(service.endpoint),
    ...updateStatusToApi(service.updateStatus),
    ...optional('ServiceStatus', init.counts),
    ...optional('JobStatus', service.jobStatus && jobStatusToApi(service.jobStatus)),
  };
}

function endpointToApi(endpoint: Endpoint | undefined) {
  if (!endpoint) return { Spec: {} };
  const addresses = endpoint.virtualIps.map(({ networkId, addr }) => ({
    NetworkID: networkId,
    Addr: addr,
  }));
  return {
    Spec: endpoint.spec ? endpointSpecToApi(endpoint.spec) : {},
    ...nonEmptyList('Ports', endpoint.ports.map(portToApi)),
    ...nonEmptyList('VirtualIPs', addresses),
  };
}

const updateStates = words({
  updating: UpdateState.UPDATING,
  paused: UpdateState.PAUSED,
  completed: UpdateState.COMPLETED,
  rollback_started: UpdateState.ROLLBACK_STARTED,
  rollback_paused: UpdateState.ROLLBACK_PAUSED,
  rollback_completed: UpdateState.ROLLBACK_COMPLETED,
});

/** '' when there was no update yet. */
export function updateStateOf(service: Service): string {
  return service.updateStatus ? updateStates.toWord(service.updateStatus.state) : '';
}

function updateStatusToApi(status: UpdateStatus | undefined) {
  if (!status || status.state === UpdateState.UNKNOWN) return {};
  const { startedAt, completedAt } = status;
  return {
    UpdateStatus: {
      State: updateStates.toWord(status.state),
      ...optional('StartedAt', startedAt && rfc3339(startedAt)),
      ...optional('CompletedAt', completedAt && rfc3339(completedAt)),
      Message: status.message,
    },
  };
}

function jobStatusToApi(status: JobStatus) {
  return {
    JobIteration: { Index: status.jobIteration?.index ?? 0 },
    ...optional('LastExecution', status.lastExecution && rfc3339(status.lastExecution)),
  };
}
