import { isDeepStrictEqual } from 'node:util';
import { SwarmError } from '../../common/errors.ts';
import type { Node } from '../../proto/gen/swarm/objects.ts';
import {
  type NodeDescription,
  NodeState,
  type NodeStatus,
  TaskState,
} from '../../proto/gen/swarm/types.ts';
import type { ReadTx, Store, WriteTx } from '../store/types.ts';

/** The writes of the dispatcher to nodes, and to the tasks of nodes that do not come back. */

export function nodeOf(tx: ReadTx, nodeId: string): Node {
  const node = tx.get('node', nodeId);
  if (!node) throw new SwarmError('SWM_NOT_FOUND', `node ${nodeId} not registered`);
  return node;
}

export function registerNode(
  tx: WriteTx,
  nodeId: string,
  registration: { description: NodeDescription | undefined; addr: string; now: Date },
): void {
  const node = nodeOf(tx, nodeId);
  const description = registration.description ?? node.description;
  const status = nextStatus(node, NodeState.READY, '', registration.now, registration.addr);
  if (isDeepStrictEqual([description, status], [node.description, node.status])) return;
  tx.update('node', { ...node, description, status });
}

/** Changes a node's state, unless it is gone. */
export function setNodeState(
  tx: WriteTx,
  nodeId: string,
  state: NodeState,
  message: string,
  now: Date,
): void {
  const node = tx.get('node', nodeId);
  if (!node || (node.status?.state === state && node.status.message === message)) return;
  tx.update('node', { ...node, status: nextStatus(node, state, message, now) });
}

function nextStatus(
  node: Node,
  state: NodeState,
  message: string,
  now: Date,
  addr = node.status?.addr ?? '',
): NodeStatus {
  const since = node.status?.state === state ? (node.status.since ?? now) : now;
  return { state, message, addr, since };
}

/** Gives up the tasks of a node: their containers may still run, but nobody counts on them. */
export async function orphanTasks(store: Store, nodeId: string, now: Date): Promise<void> {
  const tasks = store.view((tx) => tx.find('task', { nodeId }));
  await store.batch(tasks, (tx, { id }) => {
    const task = tx.get('task', id);
    const state = task?.status?.state ?? TaskState.NEW;
    if (!task || state < TaskState.ASSIGNED || state > TaskState.RUNNING) return;
    const status = {
      ...task.status,
      state: TaskState.ORPHANED,
      timestamp: now,
      message: 'orphaned: its node has been down for a day',
      err: '',
      appliedBy: '',
    };
    tx.update('task', { ...task, status });
  });
}
