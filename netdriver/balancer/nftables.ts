import type { NftChain, Ruleset } from '../kernel/ruleset.ts';
import { TableWriter } from '../kernel/table-writer.ts';
import type { Kernel, Netns } from '../kernel/types.ts';
import { TABLE } from '../names.ts';
import type { Backend, BalancerEngine, BalancerPlan, BalancerScheduler } from './types.ts';

/** The balancer's interface on its network; published ports come in through another one. */
const NETWORK_DEVICE = 'eth0';
const IP_TCP_HEADERS = 40;

/**
 * Balancing with nftables maps: one lookup finds the service, one more the backend. A connection
 * keeps its backend through conntrack, whatever becomes of the maps: that is how weight 0 drains.
 */
export function balancerRuleset(plan: BalancerPlan): Ruleset {
  const services = plan.services.map((service) => ({
    key: service.vip,
    chain: `vip-${service.vip}`,
    backends: service.backends,
  }));
  const ports = plan.ports.map((port) => ({
    key: `${port.protocol} . ${port.port}`,
    chain: `port-${port.protocol}-${port.port}`,
    backends: port.backends,
  }));
  const hidden = plan.ports.filter((port) => port.snat);
  return {
    family: 'ip',
    table: TABLE,
    maps: {
      services: { type: 'ipv4_addr : verdict', elements: verdicts(services) },
      ports: { type: 'inet_proto . inet_service : verdict', elements: verdicts(ports) },
      hidden: {
        type: 'inet_proto . inet_service',
        elements: Object.fromEntries(hidden.map((p) => [`${p.protocol} . ${p.port}`, ''])),
      },
    },
    chains: {
      ...Object.fromEntries(
        [...services, ...ports].map(({ chain, backends }) => [
          chain,
          backendChain(backends, plan.scheduler),
        ]),
      ),
      prerouting: {
        hook: 'type nat hook prerouting priority dstnat; policy accept;',
        rules: [
          `iifname "${NETWORK_DEVICE}" meta l4proto { tcp, udp, sctp } ip daddr vmap @services`,
          `iifname != "${NETWORK_DEVICE}" meta l4proto . th dport vmap @ports`,
        ],
      },
      ...(ports.length > 0 ? { clamp: clampChain(plan.mtu) } : {}),
      postrouting: {
        hook: 'type nat hook postrouting priority srcnat; policy accept;',
        rules: [
          // Answers must come back here to get the service's address again.
          ...(services.length > 0
            ? [`oifname "${NETWORK_DEVICE}" ct status dnat snat to ${plan.address}`]
            : []),
          `oifname "${NETWORK_DEVICE}" meta l4proto . th dport @hidden snat to ${plan.address}`,
        ],
      },
    },
  };
}

/**
 * Clients and tasks do not know of the smaller packets between them. Both learn it from the largest
 * segment that the other announces, since messages about too large packets are often lost.
 */
function clampChain(mtu: number): NftChain {
  return {
    hook: 'type filter hook forward priority mangle; policy accept;',
    rules: [`tcp flags & (syn | rst) == syn tcp option maxseg size set ${mtu - IP_TCP_HEADERS}`],
  };
}

/** Without a backend the packet stays here, where nothing listens: refused at once. */
function backendChain(backends: readonly Backend[], scheduler: BalancerScheduler): NftChain {
  const live = backends.filter((backend) => backend.weight > 0);
  if (live.length === 0) return { rules: [] };
  const total = live.reduce((sum, backend) => sum + backend.weight, 0);
  const choice = scheduler === 'sh' ? `jhash ip saddr mod ${total}` : `numgen inc mod ${total}`;
  return { rules: [`dnat to ${choice} map { ${slots(live).join(', ')} }`] };
}

/** Each backend takes as many consecutive numbers as its weight. */
function slots(backends: readonly Backend[]): string[] {
  let next = 0;
  return backends.map(({ ip, weight }) => {
    const first = next;
    next += weight;
    return `${weight === 1 ? first : `${first}-${next - 1}`} : ${ip}`;
  });
}

function verdicts(entries: readonly { key: string; chain: string }[]): Record<string, string> {
  return Object.fromEntries(entries.map(({ key, chain }) => [key, `goto ${chain}`]));
}

export class NftablesBalancer implements BalancerEngine {
  readonly #writer: TableWriter;

  constructor(components: { kernel: Kernel }, init: { netns: Netns; fresh: boolean }) {
    this.#writer = new TableWriter(components, init);
  }

  apply(plan: BalancerPlan): Promise<void> {
    return this.#writer.set(balancerRuleset(plan));
  }
}
