import type { GossipPort } from '../../proto/gen/swarm/gossip.ts';
import { parseIp } from '../ipv4.ts';
import type { L4Protocol } from '../kernel/types.ts';
import { protocolName } from '../protocol.ts';
import type { EndpointRow } from '../records.ts';
import type {
  Backend,
  BalancerPlan,
  BalancerScheduler,
  PublishedPort,
  VirtualService,
} from './types.ts';

export interface BalancerPlanInit {
  readonly address: string;
  readonly scheduler: BalancerScheduler;
  readonly mtu: number;
  /** Ingress balances published ports; other networks balance virtual addresses. */
  readonly ingress: boolean;
  readonly hideClients: boolean;
}

/** The plan that follows from the rows of a network, independent of their order. */
export function planBalancer(rows: readonly EndpointRow[], init: BalancerPlanInit): BalancerPlan {
  const current = latestByAddress(rows);
  return {
    address: init.address,
    scheduler: init.scheduler,
    mtu: init.mtu,
    services: init.ingress ? [] : servicesOf(current),
    ports: init.ingress ? portsOf(current, init.hideClients) : [],
  };
}

function servicesOf(rows: readonly EndpointRow[]): VirtualService[] {
  const byVip = groupBy(rows, (row) => (row.record.virtualIp ? [row.record.virtualIp] : []));
  return [...byVip]
    .map(([vip, members]) => ({ vip, backends: members.map(backendOf) }))
    .sort((a, b) => parseIp(a.vip) - parseIp(b.vip));
}

/**
 * Two generations of a service may publish the same port, one going and one coming: the port leads
 * to both, and is hidden only while both want that.
 */
function portsOf(rows: readonly EndpointRow[], hideClients: boolean): PublishedPort[] {
  const wanted = (row: EndpointRow) => row.record.ingressPorts.filter((p) => p.publishedPort > 0);
  const byPort = groupBy(rows, (row) => [...new Set(wanted(row).map(portKey))]);
  return [...byPort]
    .map(([key, members]) => {
      const [protocol, port] = key.split(' ') as [L4Protocol, string];
      const same = members.flatMap((row) => wanted(row).filter((p) => portKey(p) === key));
      return {
        protocol,
        port: Number(port),
        snat: hideClients || same.every((p) => p.snat),
        backends: members.map(backendOf),
      };
    })
    .sort((a, b) => a.port - b.port || a.protocol.localeCompare(b.protocol));
}

function portKey(port: GossipPort): string {
  return `${protocolName(port.protocol)} ${port.publishedPort}`;
}

function backendOf(row: EndpointRow): Backend {
  return { ip: row.record.endpointIp, weight: row.record.serviceDisabled ? 0 : 1 };
}

/** Rows of services, one per address: of two that claim it the later write is true. */
function latestByAddress(rows: readonly EndpointRow[]): EndpointRow[] {
  const latest = new Map<string, EndpointRow>();
  for (const row of rows) {
    const other = latest.get(row.record.endpointIp);
    const wins =
      !other || row.ltime > other.ltime || (row.ltime === other.ltime && row.key > other.key);
    if (wins) latest.set(row.record.endpointIp, row);
  }
  return [...latest.values()]
    .filter((row) => row.record.serviceId)
    .sort((a, b) => parseIp(a.record.endpointIp) - parseIp(b.record.endpointIp));
}

function groupBy<T>(items: readonly T[], keysOf: (item: T) => readonly string[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    for (const key of keysOf(item)) {
      const group = groups.get(key);
      if (group) group.push(item);
      else groups.set(key, [item]);
    }
  }
  return groups;
}
