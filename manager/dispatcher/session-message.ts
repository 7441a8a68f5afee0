import { isDeepStrictEqual } from 'node:util';
import type { GossipPeer, SessionMessage } from '../../proto/gen/swarm/dispatcher.ts';
import type { Cluster, Node } from '../../proto/gen/swarm/objects.ts';
import type { WeightedPeer } from '../../proto/gen/swarm/types.ts';
import { trustBundleOf } from '../ca/index.ts';
import type { MemberStatus } from '../consensus/types.ts';
import type { ReadTx, StoreChange } from '../store/types.ts';

const MANAGER_WEIGHT = 10;

/** What every node is told alike. */
export type SharedContent = Omit<SessionMessage, 'sessionId' | 'node'>;

export function sharedContent(tx: ReadTx, members: readonly MemberStatus[]): SharedContent {
  const cluster = theCluster(tx);
  return {
    managers: weightedManagers(members),
    networkBootstrapKeys: cluster?.networkBootstrapKeys ?? [],
    rootCa: trustBundleOf(cluster?.rootCa),
    gossipPeers: gossipPeers(tx),
    vxlanUdpPort: cluster?.vxlanUdpPort ?? 0,
    clusterId: cluster?.id ?? '',
  };
}

/** True when a node learns nothing from its own record: only what it reported itself differs. */
export function sameToItself(a: Node | undefined, b: Node | undefined): boolean {
  return a === b || isDeepStrictEqual(ordersIn(a), ordersIn(b));
}

function ordersIn(node: Node | undefined): Node | undefined {
  return node && { ...node, meta: undefined, status: undefined, description: undefined };
}

/** True when a change may concern the sessions of all nodes. */
export function concernsAll(change: StoreChange): boolean {
  if (change.kind !== 'node') return change.kind === 'cluster';
  const before = change.type === 'create' ? undefined : peerOf(oldNode(change));
  const after = change.type === 'remove' ? undefined : peerOf(change.object);
  return !isDeepStrictEqual(before, after);
}

function oldNode(change: StoreChange & { kind: 'node' }): Node {
  return change.type === 'update' ? change.old : change.object;
}

export function theCluster(tx: ReadTx): Cluster | undefined {
  for (const cluster of tx.all('cluster')) return cluster;
  return undefined;
}

function weightedManagers(members: readonly MemberStatus[]): WeightedPeer[] {
  return members
    .filter((member) => member.addr !== '')
    .map(({ nodeId, addr }) => ({ peer: { nodeId, addr }, weight: MANAGER_WEIGHT }))
    .sort((a, b) => (a.peer.nodeId < b.peer.nodeId ? -1 : 1));
}

function gossipPeers(tx: ReadTx): GossipPeer[] {
  const peers: GossipPeer[] = [];
  for (const node of tx.all('node')) {
    const peer = peerOf(node);
    if (peer) peers.push(peer);
  }
  return peers.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}

/** Nodes that never registered have no gossip address yet. */
function peerOf(node: Node): GossipPeer | undefined {
  const { gossipPeerId, gossipAddr, dataPathAddr } = node.description ?? {};
  if (!gossipPeerId || !gossipAddr) return undefined;
  return {
    nodeId: node.id,
    peerId: gossipPeerId,
    addr: gossipAddr,
    dataPathAddr: dataPathAddr ?? '',
  };
}
