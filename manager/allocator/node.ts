import type { Network, Node, Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { ReadTx, WriteTx } from '../store/types.ts';
import { takeAddresses } from './addresses.ts';
import { findIngress, isAllocated, isIngress, isOverlay } from './networks.ts';
import { attachmentTo } from './task.ts';

/**
 * Gives a node's load balancer an address on every overlay that it needs one on, and takes away
 * the others: the ingress always, any other while a task is there that has its addresses and has
 * not ended, or is about to be (`coming`). Writes the node if that changes anything.
 * Throws AddressesExhausted; then nothing is changed.
 */
export function attachNode(tx: WriteTx, nodeId: string, coming: readonly Task[] = []): void {
  const node = tx.get('node', nodeId);
  if (!node) return;
  const needed = neededNetworks(tx, nodeId, coming);
  const kept = node.attachments.filter(({ network }) => needed.delete(network?.id ?? ''));
  if (needed.size === 0 && kept.length === node.attachments.length) return;
  const added = [...needed.values()].map((network) =>
    attachmentTo(network, takeAddresses(tx, network)),
  );
  tx.update('node', { ...node, attachments: [...kept, ...added] });
}

/** True when the node has an address on every overlay of `task`: then `attachNode` is not needed. */
export function isAttachedFor(node: Node, task: Task): boolean {
  return task.networks.every(
    ({ network }) =>
      !network ||
      !isOverlay(network) ||
      node.attachments.some((attachment) => attachment.network?.id === network.id),
  );
}

function neededNetworks(tx: ReadTx, nodeId: string, coming: readonly Task[]): Map<string, Network> {
  const needed = new Map<string, Network>();
  const ingress = findIngress(tx);
  if (ingress && isAllocated(ingress)) needed.set(ingress.id, ingress);
  for (const task of [...tx.find('task', { nodeId }).filter(needsNode), ...coming]) {
    for (const { network } of task.networks) {
      if (!network || !isOverlay(network) || isIngress(network)) continue;
      const current = tx.get('network', network.id);
      if (current) needed.set(current.id, current);
    }
  }
  return needed;
}

function needsNode({ status }: Task): boolean {
  const state = status?.state ?? TaskState.NEW;
  return state >= TaskState.PENDING && state <= TaskState.RUNNING;
}
