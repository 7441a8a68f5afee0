import type { FilterContext } from '../../../manager/scheduler/filters/filter.ts';
import { NodeInfo } from '../../../manager/scheduler/node-info.ts';
import { Node, Task } from '../../../proto/gen/swarm/objects.ts';
import { NodeState, TaskState } from '../../../proto/gen/swarm/types.ts';

type NodeFields = Parameters<typeof Node.fromPartial>[0];
type TaskFields = Parameters<typeof Task.fromPartial>[0];

/** A node that is ready and active unless `fields` says otherwise. */
export function node(id: string, fields: NodeFields = {}): Node {
  const status = { state: NodeState.READY };
  return Node.fromPartial({ id, status, spec: {}, ...fields });
}

export function labelled(id: string, labels: Record<string, string>): Node {
  return node(id, { spec: { annotations: { labels } } });
}

/** A task of service `s`, version 1, that waits for a place. */
export function waiting(id: string, fields: TaskFields = {}): Task {
  return Task.fromPartial({
    id,
    serviceId: 's',
    specVersion: { index: 1 },
    desiredState: TaskState.RUNNING,
    status: { state: TaskState.PENDING, message: 'pending task scheduling' },
    ...fields,
  });
}

export function waitingMany(count: number, fields: TaskFields = {}, prefix = 't'): Task[] {
  return Array.from({ length: count }, (_, i) => waiting(`${prefix}${i}`, fields));
}

/** A task that occupies `nodeId`. */
export function running(id: string, nodeId: string, fields: TaskFields = {}): Task {
  return waiting(id, { nodeId, status: { state: TaskState.RUNNING }, ...fields });
}

export function infos(...nodes: Node[]): NodeInfo[] {
  return nodes.map((one) => new NodeInfo(one));
}

export const noContext: FilterContext = { volumes: () => [], hasFreeAddress: () => true };

export function counts(nodes: Iterable<NodeInfo>, serviceId = 's'): Record<string, number> {
  return Object.fromEntries([...nodes].map((info) => [info.node.id, info.countOf(serviceId)]));
}
