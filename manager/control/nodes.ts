import { X509Certificate } from 'node:crypto';
import { SwarmError } from '../../common/errors.ts';
import type { BlacklistedCertificate, Cluster, Node } from '../../proto/gen/swarm/objects.ts';
import type { NodeSpec } from '../../proto/gen/swarm/specs.ts';
import { NodeRole, NodeState, TaskState } from '../../proto/gen/swarm/types.ts';
import type { ReadTx } from '../store/types.ts';
import {
  type ControlContext,
  now,
  refuseStale,
  requireObject,
  writeObject,
} from './control-context.ts';
import { losesQuorum } from './quorum.ts';

/** How long a removed node stays refused after its certificate has ended. */
const BLACKLIST_GRACE_MS = 7 * 24 * 3_600_000;

/**
 * Replaces the spec of a node. A change of the desired role is carried out by the role manager.
 * Throws SWM_NOT_FOUND, SWM_OUT_OF_SEQUENCE, and SWM_FAILED_PRECONDITION for a demotion that would
 * leave the swarm without managers or without quorum.
 */
export async function updateNode(
  context: ControlContext,
  id: string,
  version: number,
  spec: NodeSpec,
): Promise<Node> {
  await confirmDemotion(context, id, spec);
  return writeObject(context, 'node', (tx) => {
    const node = requireObject(tx, 'node', id);
    refuseStale(node, version);
    if (isDemotion(node, spec)) refuseDemotion(context, tx, node);
    const updated = { ...node, spec };
    tx.update('node', updated);
    return updated;
  });
}

/**
 * Takes a node out of the swarm: its certificate counts no longer, its tasks are given up.
 * Throws SWM_NOT_FOUND, and SWM_FAILED_PRECONDITION for a manager, or without `force` for a node
 * that is ready.
 */
export async function removeNode(
  context: ControlContext,
  id: string,
  force: boolean,
): Promise<void> {
  const { store, clusterId } = context;
  await store.update((tx) => {
    const node = requireObject(tx, 'node', id);
    if (context.members.members().some(({ nodeId }) => nodeId === id)) {
      throw refused(
        `node ${id} is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal`,
      );
    }
    if (!force && node.status?.state === NodeState.READY) {
      throw refused(`node ${id} is not down and can't be removed`);
    }
    tx.update('cluster', blacklist(requireObject(tx, 'cluster', clusterId), node, now(context)));
    tx.remove('node', id);
  });
  await orphanTasks(context, id);
}

/** Once it is written down it is carried out sooner or later: what is known now must be known well. */
async function confirmDemotion(context: ControlContext, id: string, spec: NodeSpec): Promise<void> {
  const { store, members } = context;
  const isDemoted = store.view((tx) => {
    const node = requireObject(tx, 'node', id);
    if (!isDemotion(node, spec)) return false;
    refuseDemotion(context, tx, node);
    return true;
  });
  const member = members.members().find(({ nodeId }) => nodeId === id);
  if (isDemoted && member) await members.confirmRemoval(member.raftId);
}

function isDemotion(node: Node, spec: NodeSpec): boolean {
  return node.spec?.desiredRole === NodeRole.MANAGER && spec.desiredRole === NodeRole.WORKER;
}

function refuseDemotion(context: ControlContext, tx: ReadTx, node: Node): void {
  const managers = [...tx.all('node')].filter(({ spec }) => spec?.desiredRole === NodeRole.MANAGER);
  if (managers.length === 1) throw refused('attempting to demote the last manager of the swarm');
  const members = context.members.members();
  const member = members.find(({ nodeId }) => nodeId === node.id);
  if (member && losesQuorum(members, member.raftId)) {
    throw refused("can't remove member from the raft: this would result in a loss of quorum");
  }
}

/** Also drops the entries whose certificates nobody could use any more. */
function blacklist(cluster: Cluster, node: Node, at: Date): Cluster {
  const kept = Object.entries(cluster.blacklistedCertificates).filter(
    ([, { expiry }]) => !expiry || expiry > at,
  );
  const entry: BlacklistedCertificate = { expiry: blacklistedUntil(node) };
  return {
    ...cluster,
    blacklistedCertificates: { ...Object.fromEntries(kept), [node.id]: entry },
  };
}

// Without a certificate to look at, the entry stays for ever.
function blacklistedUntil({ certificate }: Node): Date | undefined {
  if (!certificate?.certificate.length) return undefined;
  const { validTo } = new X509Certificate(certificate.certificate);
  return new Date(Date.parse(validTo) + BLACKLIST_GRACE_MS);
}

async function orphanTasks(context: ControlContext, nodeId: string): Promise<void> {
  const { store } = context;
  const tasks = store.view((tx) => tx.find('task', { nodeId }));
  await store.batch(tasks, (tx, { id }) => {
    const task = tx.get('task', id);
    const state = task?.status?.state ?? TaskState.NEW;
    if (!task?.status || state > TaskState.RUNNING) return;
    const status = {
      ...task.status,
      state: TaskState.ORPHANED,
      timestamp: now(context),
      message: 'orphaned: its node was removed from the swarm',
      err: '',
    };
    tx.update('task', { ...task, status });
  });
}

function refused(message: string): SwarmError {
  return new SwarmError('SWM_FAILED_PRECONDITION', message);
}
