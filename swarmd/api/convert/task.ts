import type { NetworkAttachment, NodeRejection, Task } from '../../../proto/gen/swarm/objects.ts';
import { TaskState as State, type TaskStatus } from '../../../proto/gen/swarm/types.ts';
import { rfc3339 } from '../http/time.ts';
import {
  annotationsToApi,
  genericResourcesToApi,
  metaToApi,
  nonEmpty,
  nonEmptyList,
  nonZero,
  optional,
  portToApi,
  words,
} from './common.ts';
import { attachedNetworkToApi } from './network.ts';
import { taskSpecToApi } from './task-spec-to-api.ts';

export const taskStates = words({
  new: State.NEW,
  pending: State.PENDING,
  assigned: State.ASSIGNED,
  accepted: State.ACCEPTED,
  preparing: State.PREPARING,
  ready: State.READY,
  starting: State.STARTING,
  running: State.RUNNING,
  complete: State.COMPLETE,
  shutdown: State.SHUTDOWN,
  failed: State.FAILED,
  rejected: State.REJECTED,
  remove: State.REMOVE,
  orphaned: State.ORPHANED,
});

/** A task in the API's JSON; `Rejections` is ours: why no node takes a waiting task. */
export function taskToApi(task: Task) {
  return {
    ID: task.id,
    ...metaToApi(task.meta),
    ...annotationsToApi(task.annotations),
    Spec: task.spec ? taskSpecToApi(task.spec) : {},
    ...nonEmpty('ServiceID', task.serviceId),
    ...nonZero('Slot', task.slot),
    ...nonEmpty('NodeID', task.nodeId),
    Status: statusToApi(task.status),
    DesiredState: taskStates.toWord(task.desiredState),
    ...nonEmptyList('NetworksAttachments', task.networks.map(attachmentToApi)),
    ...nonEmptyList('GenericResources', genericResourcesToApi(task.assignedGenericResources)),
    ...optional('JobIteration', task.jobIteration && { Index: task.jobIteration.index }),
    Volumes: null,
    ...nonEmptyList('Rejections', task.rejections.map(rejectionToApi)),
  };
}

function statusToApi(status: TaskStatus | undefined) {
  const container = status?.container;
  return {
    Timestamp: rfc3339(status?.timestamp),
    State: taskStates.toWord(status?.state ?? State.NEW),
    ...nonEmpty('Message', status?.message ?? ''),
    ...nonEmpty('Err', status?.err ?? ''),
    ...optional(
      'ContainerStatus',
      container && {
        ContainerID: container.containerId,
        PID: container.pid,
        ExitCode: container.exitCode,
      },
    ),
    PortStatus: nonEmptyList('Ports', status?.portStatus?.ports.map(portToApi) ?? []),
  };
}

function attachmentToApi(attachment: NetworkAttachment) {
  return {
    Network: attachment.network ? attachedNetworkToApi(attachment.network) : {},
    Addresses: attachment.addresses,
  };
}

export function rejectionToApi(rejection: NodeRejection) {
  return {
    NodeID: rejection.nodeId,
    Filter: rejection.filter,
    Wanted: rejection.wanted,
    Had: rejection.had,
  };
}
