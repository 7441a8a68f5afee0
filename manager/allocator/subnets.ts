import { createHash } from 'node:crypto';
import type { Cluster, Network } from '../../proto/gen/swarm/objects.ts';
import type { ReadTx } from '../store/types.ts';
import { noFreeSubnet, poolOverlap } from './errors.ts';
import { formatSubnet, overlaps, parseSubnet, type Subnet, subnetAt, subnetSize } from './ip.ts';

const DEFAULT_POOL = '10.0.0.0/8';
const DEFAULT_SIZE = 24;
const IPV6_SIZE = 64;

/** A subnet that a network has, by whom it is named in a refusal. */
interface Taken {
  readonly subnet: Subnet;
  readonly network: Network;
}

/** The first subnet of the cluster's pools that overlaps none of those in use. */
export function nextSubnet(tx: ReadTx, family: 4 | 6): Subnet {
  const { pools, size } = poolsOf([...tx.all('cluster')][0], family);
  const taken = subnetsInUse(tx);
  for (const pool of pools) {
    const found = firstFree(pool, size, taken);
    if (found) return found;
  }
  throw noFreeSubnet(family, size, pools.map(formatSubnet));
}

/** Throws unless `subnet` is free of every network in the store. */
export function refuseOverlap(tx: ReadTx, subnet: Subnet): void {
  const other = subnetsInUse(tx).find((taken) => overlaps(taken.subnet, subnet));
  if (other) throw poolOverlap(formatSubnet(subnet), formatSubnet(other.subnet), other.network);
}

function poolsOf(cluster: Cluster | undefined, family: 4 | 6): { pools: Subnet[]; size: number } {
  const configured = (cluster?.defaultAddressPool ?? [])
    .map(parseSubnet)
    .filter((pool): pool is Subnet => pool?.family === family);
  if (family === 6) {
    return { pools: configured.length ? configured : [localPool(cluster)], size: IPV6_SIZE };
  }
  const pools = configured.length ? configured : [parseSubnet(DEFAULT_POOL) as Subnet];
  return { pools, size: cluster?.subnetSize || DEFAULT_SIZE };
}

/** A unique local IPv6 prefix (RFC 4193) whose global id is drawn from the cluster's. */
function localPool(cluster: Cluster | undefined): Subnet {
  const digest = createHash('sha256')
    .update(cluster?.id ?? '')
    .digest('hex');
  const value = BigInt(`0xfd${digest.slice(0, 10)}`) << 80n;
  return subnetAt({ family: 6, value }, 48);
}

function subnetsInUse(tx: ReadTx): Taken[] {
  const taken: Taken[] = [];
  for (const network of tx.all('network')) {
    for (const config of network.ipam?.configs ?? []) {
      const subnet = parseSubnet(config.subnet);
      if (subnet) taken.push({ subnet, network });
    }
  }
  return taken;
}

/** Goes through the pool in steps of one subnet, past each one in use at once. */
function firstFree(pool: Subnet, prefix: number, taken: readonly Taken[]): Subnet | undefined {
  const inside = taken.map(({ subnet }) => subnet).filter((subnet) => overlaps(subnet, pool));
  inside.sort((a, b) => (a.first < b.first ? -1 : 1));
  const size = subnetSize(pool.family, prefix);
  let candidate = subnetAt({ family: pool.family, value: pool.first }, prefix);
  for (const subnet of inside) {
    if (!overlaps(subnet, candidate)) continue;
    const after = subnet.last - (subnet.last % size) + size;
    candidate = subnetAt({ family: pool.family, value: after }, prefix);
  }
  return candidate.last <= pool.last && candidate.first >= pool.first ? candidate : undefined;
}
