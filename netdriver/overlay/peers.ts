import { ipOf } from '../ipv4.ts';
import type { LinkOp, PeerEntries } from '../kernel/types.ts';
import type { NetworkConfig } from '../types.ts';
import { deviceNames, subnetIndexOf } from './plan.ts';

/** A row of the table `peers`, decoded. */
export interface PeerRow {
  readonly owner: string;
  readonly ltime: number;
  /** CIDR. */
  readonly ip: string;
  readonly mac: string;
  /** The node's address on the data path. */
  readonly vtep: string;
}

/** Forwarding state by device, as sets: `ip mac` and `mac vtep`. */
export interface PeerState {
  readonly neighbours: ReadonlySet<string>;
  readonly fdb: ReadonlySet<string>;
}

export const NO_PEERS: PeerState = { neighbours: new Set(), fdb: new Set() };

/**
 * What the VXLAN devices should know, from the rows of all nodes. An address has one owner: an
 * endpoint of this node before any row, then the latest row. So an address that moved to another
 * node works as soon as its new row is here, whether or not the old one is gone.
 */
export function planPeers(
  network: Pick<NetworkConfig, 'subnets'>,
  rows: readonly PeerRow[],
  local: { nodeId: string; addresses: ReadonlySet<string> },
): PeerState {
  const latest = new Map<string, PeerRow>();
  for (const row of rows) {
    const ip = ipOf(row.ip);
    if (row.owner === local.nodeId || local.addresses.has(ip)) continue;
    if (subnetIndexOf(network, ip) < 0) continue;
    const other = latest.get(ip);
    if (!other || isLater(row, other)) latest.set(ip, row);
  }
  const neighbours = new Set<string>();
  const fdb = new Map<string, string>();
  for (const [ip, row] of [...latest].sort(([, a], [, b]) => (isLater(a, b) ? 1 : -1))) {
    const { vxlan } = deviceNames(subnetIndexOf(network, ip));
    neighbours.add(`${vxlan} ${ip} ${row.mac}`);
    // One hardware address on two nodes can be reached on one of them only: the latest wins.
    fdb.set(`${vxlan} ${row.mac}`, row.vtep);
  }
  return { neighbours, fdb: new Set([...fdb].map(([key, vtep]) => `${key} ${vtep}`)) };
}

/** What a device holds already, for a network that is taken over. */
export function peerStateOf(vxlan: string, entries: PeerEntries): PeerState {
  return {
    neighbours: new Set(entries.neighbours.map(({ ip, mac }) => `${vxlan} ${ip} ${mac}`)),
    // The kernel keeps an all-zero entry on devices with a default destination; ours have none.
    fdb: new Set(entries.fdb.map(({ mac, vtep }) => `${vxlan} ${mac} ${vtep}`)),
  };
}

export function unionOf(states: readonly PeerState[]): PeerState {
  return {
    neighbours: new Set(states.flatMap((state) => [...state.neighbours])),
    fdb: new Set(states.flatMap((state) => [...state.fdb])),
  };
}

/**
 * The operations between two states. Removals come first and are only taken for keys that have no
 * successor: setting an entry replaces the one with the same key.
 */
export function peerOps(old: PeerState, next: PeerState): LinkOp[] {
  const keysOf = (set: ReadonlySet<string>) => new Set([...set].map(keyOf));
  const [nextNeighbours, nextFdb] = [keysOf(next.neighbours), keysOf(next.fdb)];
  const gone = (from: ReadonlySet<string>, keys: ReadonlySet<string>) =>
    [...from].filter((entry) => !keys.has(keyOf(entry)));
  const fresh = (from: ReadonlySet<string>, to: ReadonlySet<string>) =>
    [...to].filter((entry) => !from.has(entry));
  return [
    ...gone(old.neighbours, nextNeighbours).map((entry): LinkOp => {
      const [dev, ip] = fields(entry);
      return { op: 'del-neighbour', dev, ip };
    }),
    ...gone(old.fdb, nextFdb).map((entry): LinkOp => {
      const [dev, mac, vtep] = fields(entry);
      return { op: 'del-fdb', dev, mac, vtep };
    }),
    ...fresh(old.neighbours, next.neighbours).map((entry): LinkOp => {
      const [dev, ip, mac] = fields(entry);
      return { op: 'set-neighbour', dev, ip, mac };
    }),
    ...fresh(old.fdb, next.fdb).map((entry): LinkOp => {
      const [dev, mac, vtep] = fields(entry);
      return { op: 'set-fdb', dev, mac, vtep };
    }),
  ];
}

/** Rows of equal time are ordered by owner, so that every node believes the same one. */
function isLater(row: PeerRow, other: PeerRow): boolean {
  return row.ltime > other.ltime || (row.ltime === other.ltime && row.owner > other.owner);
}

function keyOf(entry: string): string {
  return entry.slice(0, entry.lastIndexOf(' '));
}

function fields(entry: string): [string, string, string] {
  return entry.split(' ') as [string, string, string];
}
