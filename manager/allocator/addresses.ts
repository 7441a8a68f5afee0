import type { Network } from '../../proto/gen/swarm/objects.ts';
import type { IPAMConfig } from '../../proto/gen/swarm/types.ts';
import { taskName } from '../store/task-name.ts';
import type { ReadTx, WriteTx } from '../store/types.ts';
import { AddressesExhausted, addressTaken, invalidRequest } from './errors.ts';
import { contains, formatIp, parseIp, parseSubnet, type Subnet } from './ip.ts';
import { networkName } from './networks.ts';
import { readPosition, writePosition } from './position.ts';

/** A subnet of a network with what of it may be handed out. */
export interface Pool {
  readonly config: IPAMConfig;
  readonly subnet: Subnet;
  /** First and last address that may be handed out. */
  readonly first: bigint;
  readonly last: bigint;
  /** In between, but never handed out: the gateway and what the user reserved. */
  readonly withheld: ReadonlySet<bigint>;
}

export function poolsOf(network: Network): Pool[] {
  return (network.ipam?.configs ?? []).flatMap((config) => poolOf(config) ?? []);
}

/**
 * The next address of each family that the network has, as CIDR. The order is serial, so that an
 * address is reused as late as possible. Whoever asks must write the object that holds the
 * addresses in the same transaction, before the next address is asked for: what is in use is read
 * from the objects, there is no other book.
 */
export function takeAddresses(tx: WriteTx, network: Network): string[] {
  const pools = poolsOf(network);
  return ([4, 6] as const).flatMap((family) => {
    const ofFamily = pools.filter(({ subnet }) => subnet.family === family);
    return ofFamily.length > 0 ? [takeAddress(tx, network, family, ofFamily)] : [];
  });
}

/** False when `takeAddresses` would fail. */
export function hasFreeAddress(tx: ReadTx, network: Network): boolean {
  const pools = poolsOf(network);
  return ([4, 6] as const).every((family) => {
    const ofFamily = pools.filter(({ subnet }) => subnet.family === family);
    const isFree = (pool: Pool) => nextFree(tx, network.id, pool) !== undefined;
    return ofFamily.length === 0 || ofFamily.some(isFree);
  });
}

/** The addresses that were asked for; a family without a request gets its next one. */
export function takeRequested(
  tx: WriteTx,
  network: Network,
  requested: readonly string[],
  holderId: string,
): string[] {
  if (requested.length === 0) return takeAddresses(tx, network);
  const pools = poolsOf(network);
  const chosen = requested.map((address) => checkedRequest(tx, network, pools, address, holderId));
  const missing = ([4, 6] as const).filter(
    (family) => !chosen.some((pool) => pool.subnet.family === family),
  );
  const next = missing.flatMap((family) => {
    const ofFamily = pools.filter(({ subnet }) => subnet.family === family);
    return ofFamily.length > 0 ? [takeAddress(tx, network, family, ofFamily)] : [];
  });
  return [...chosen.map(({ cidr }) => cidr), ...next];
}

/** Who holds an address, in words; undefined when it is free. */
export function holderOf(tx: ReadTx, networkId: string, ip: string): string | undefined {
  const address = { networkId, ip };
  const [task] = tx.find('task', { address });
  if (task) return `task ${taskName(task)}`;
  const [service] = tx.find('service', { address });
  if (service) return `service ${service.spec?.annotations?.name} (${service.id})`;
  const [node] = tx.find('node', { address });
  return node && `node ${node.description?.hostname || node.id}`;
}

function takeAddress(tx: WriteTx, network: Network, family: 4 | 6, pools: readonly Pool[]): string {
  for (const pool of pools) {
    const value = nextFree(tx, network.id, pool);
    if (value === undefined) continue;
    const ip = formatIp({ family, value });
    writePosition(tx, `${network.id}/${pool.config.subnet}`, ip);
    return `${ip}/${pool.subnet.prefix}`;
  }
  throw new AddressesExhausted(
    network,
    family,
    pools.map(({ config }) => config.subnet),
  );
}

function nextFree(tx: ReadTx, networkId: string, pool: Pool): bigint | undefined {
  const { first, last, withheld } = pool;
  const family = pool.subnet.family;
  const size = last - first + 1n;
  const position = readPosition(tx, `${networkId}/${pool.config.subnet}`);
  const start = position ? (parseIp(position)?.value ?? first) - first + 1n : 0n;
  for (let step = 0n; step < size; step += 1n) {
    const value = first + ((start + step) % size);
    if (withheld.has(value)) continue;
    if (!isHeld(tx, networkId, formatIp({ family, value }))) return value;
  }
  return undefined;
}

function isHeld(tx: ReadTx, networkId: string, ip: string): boolean {
  const address = { networkId, ip };
  return (
    tx.find('task', { address }).length > 0 ||
    tx.find('service', { address }).length > 0 ||
    tx.find('node', { address }).length > 0
  );
}

function checkedRequest(
  tx: ReadTx,
  network: Network,
  pools: readonly Pool[],
  requested: string,
  holderId: string,
): { cidr: string; subnet: Subnet } {
  const ip = parseIp(requested.split('/')[0] as string);
  if (!ip) throw invalidRequest(`invalid address ${requested} for network ${networkName(network)}`);
  const text = formatIp(ip);
  const pool = pools.find(({ subnet }) => contains(subnet, ip));
  if (!pool) {
    const subnets = pools.map(({ config }) => config.subnet).join(', ');
    throw invalidRequest(
      `address ${text} is not in network ${networkName(network)}, whose subnets are ${subnets}`,
    );
  }
  const { first, last } = hosts(pool.subnet);
  if (ip.value < first || ip.value > last || pool.withheld.has(ip.value)) {
    throw addressTaken(text, network, 'the network itself');
  }
  const own = tx.find('task', { address: { networkId: network.id, ip: text } });
  const holder = holderOf(tx, network.id, text);
  if (holder && own[0]?.id !== holderId) throw addressTaken(text, network, holder);
  return { cidr: `${text}/${pool.subnet.prefix}`, subnet: pool.subnet };
}

function poolOf(config: IPAMConfig): Pool | undefined {
  const subnet = parseSubnet(config.subnet);
  if (!subnet) return undefined;
  const range = parseSubnet(config.range) ?? subnet;
  const usable = hosts(subnet);
  const withheld = [config.gateway, ...Object.values(config.reserved)].flatMap(
    (address) => parseIp(address)?.value ?? [],
  );
  return {
    config,
    subnet,
    first: clamp(range.first, usable),
    last: clamp(range.last, usable),
    withheld: new Set(withheld),
  };
}

/** Without the network's own address and, in IPv4, the broadcast address. */
function hosts({ family, first, last }: Subnet): { first: bigint; last: bigint } {
  return { first: first + 1n, last: family === 4 ? last - 1n : last };
}

function clamp(value: bigint, { first, last }: { first: bigint; last: bigint }): bigint {
  if (value < first) return first;
  return value > last ? last : value;
}
