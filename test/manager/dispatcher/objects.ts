import { Cluster, Node, Task } from '../../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../../proto/gen/swarm/types.ts';

export function cluster(fields: Parameters<typeof Cluster.fromPartial>[0] = {}): Cluster {
  return Cluster.fromPartial({
    id: 'cluster',
    spec: { annotations: { name: 'default' }, dispatcher: { heartbeatPeriod: { seconds: 5 } } },
    ...fields,
  });
}

export function node(id: string, fields: Parameters<typeof Node.fromPartial>[0] = {}): Node {
  return Node.fromPartial({ id, spec: {}, ...fields });
}

/** A container task, assigned to `nodeId` and wanted running unless told otherwise. */
export function task(
  id: string,
  nodeId: string,
  fields: Parameters<typeof Task.fromPartial>[0] = {},
): Task {
  return Task.fromPartial({
    id,
    nodeId,
    serviceId: 'service',
    serviceAnnotations: { name: 'web' },
    slot: 1,
    spec: { runtime: { $case: 'container', container: { image: 'busybox' } } },
    status: { state: TaskState.ASSIGNED },
    desiredState: TaskState.RUNNING,
    ...fields,
  });
}
