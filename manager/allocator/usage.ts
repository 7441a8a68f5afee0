import type { Network, NetworkAttachment } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import { taskName } from '../store/task-name.ts';
import type { ReadTx } from '../store/types.ts';
import { type Pool, poolsOf } from './addresses.ts';
import { contains, formatIp, parseIp } from './ip.ts';

export type HolderKind = 'gateway' | 'reserved' | 'service' | 'task' | 'node';

export interface UsedAddress {
  readonly address: string;
  readonly kind: HolderKind;
  /** Of the service, task or node; empty for the network's own. */
  readonly id: string;
  readonly name: string;
}

/** Who has which address of one subnet. */
export interface SubnetUsage {
  readonly subnet: string;
  readonly range: string;
  readonly gateway: string;
  /** How many can be in use at once, the gateway and reserved ones included. */
  readonly total: number;
  readonly used: number;
  readonly free: number;
  /** In the order of the addresses. */
  readonly addresses: readonly UsedAddress[];
}

/** A task that waits for an address, a port or a network, and why. */
export interface WaitingTask {
  readonly taskId: string;
  readonly name: string;
  readonly reason: string;
}

export interface NetworkUsage {
  readonly subnets: readonly SubnetUsage[];
  readonly waiting: readonly WaitingTask[];
}

/** What `network inspect` shows of a network's addresses. */
export function describeUsage(tx: ReadTx, network: Network): NetworkUsage {
  const holders = [...objectHolders(tx, network.id)];
  const subnets = poolsOf(network).map((pool) => subnetUsage(pool, holders));
  return { subnets, waiting: waitingTasks(tx, network) };
}

function subnetUsage(pool: Pool, holders: readonly UsedAddress[]): SubnetUsage {
  const { config, subnet, first, last } = pool;
  const inside = (address: string) => {
    const ip = parseIp(address);
    return ip !== undefined && contains(subnet, ip);
  };
  const addresses = [
    { address: config.gateway, kind: 'gateway' as const, id: '', name: 'gateway' },
    ...Object.entries(config.reserved).map(([name, address]) => ({
      address,
      kind: 'reserved' as const,
      id: '',
      name,
    })),
    ...holders.filter(({ address }) => inside(address)),
  ].sort((a, b) => (numberOf(a.address) < numberOf(b.address) ? -1 : 1));
  const inRange = (address: string) => {
    const value = numberOf(address);
    return first <= value && value <= last;
  };
  const total = Number(last - first + 1n);
  const used = addresses.filter(({ address }) => inRange(address)).length;
  return {
    subnet: config.subnet,
    range: `${formatIp({ ...subnet, value: first })}-${formatIp({ ...subnet, value: last })}`,
    gateway: config.gateway,
    total,
    used,
    free: total - used,
    addresses,
  };
}

function* objectHolders(tx: ReadTx, networkId: string): Iterable<UsedAddress> {
  for (const service of tx.find('service', { networkId })) {
    const name = service.spec?.annotations?.name ?? '';
    for (const vip of service.endpoint?.virtualIps ?? []) {
      if (vip.networkId !== networkId) continue;
      yield { address: withoutPrefix(vip.addr), kind: 'service', id: service.id, name };
    }
  }
  for (const task of tx.find('task', { networkId })) {
    if ((task.status?.state ?? TaskState.NEW) > TaskState.RUNNING) continue;
    yield* attached(task.networks, networkId, 'task', task.id, taskName(task));
  }
  for (const node of tx.find('node', { networkId })) {
    const name = node.description?.hostname ?? '';
    yield* attached(node.attachments, networkId, 'node', node.id, name);
  }
}

function* attached(
  attachments: readonly NetworkAttachment[],
  networkId: string,
  kind: HolderKind,
  id: string,
  name: string,
): Iterable<UsedAddress> {
  for (const { network, addresses } of attachments) {
    if (network?.id !== networkId) continue;
    for (const address of addresses) yield { address: withoutPrefix(address), kind, id, name };
  }
}

function waitingTasks(tx: ReadTx, network: Network): WaitingTask[] {
  const name = network.spec?.annotations?.name ?? '';
  const targets = new Set([network.id, ...(name ? [name] : [])]);
  const tasks = [...targets].flatMap((networkId) => tx.find('task', { networkId }));
  return [...new Set(tasks)]
    .filter(({ status }) => (status?.state ?? TaskState.NEW) === TaskState.NEW && status?.err)
    .map((task) => ({ taskId: task.id, name: taskName(task), reason: task.status?.err ?? '' }));
}

function withoutPrefix(cidr: string): string {
  return cidr.split('/')[0] as string;
}

function numberOf(address: string): bigint {
  return parseIp(address)?.value ?? 0n;
}
