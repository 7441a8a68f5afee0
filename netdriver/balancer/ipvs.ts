import { parseIp } from '../ipv4.ts';
import type { Ruleset } from '../kernel/ruleset.ts';
import { TableWriter } from '../kernel/table-writer.ts';
import type { Kernel, Netns } from '../kernel/types.ts';
import { TABLE } from '../names.ts';
import type { Backend, BalancerEngine, BalancerPlan } from './types.ts';

/** conntrack: needed to rewrite the source; expire_nodest_conn: a removed backend ends at once. */
const SYSCTLS = {
  'net.ipv4.vs.conntrack': '1',
  'net.ipv4.vs.conn_reuse_mode': '0',
  'net.ipv4.vs.expire_nodest_conn': '1',
  'net.ipv4.vs.expire_quiescent_template': '1',
} as const;

interface MarkedService {
  readonly mark: number;
  readonly match: string;
  readonly backends: readonly Backend[];
}

/** One IPVS service per firewall mark, so that a service has all its ports and protocols. */
export function ipvsLines(old: BalancerPlan | undefined, next: BalancerPlan): string[] {
  const scheduler = next.scheduler;
  const before = new Map(marked(old).map((service) => [service.mark, service]));
  const after = new Map(marked(next).map((service) => [service.mark, service]));
  const lines: string[] = [];
  for (const mark of before.keys()) if (!after.has(mark)) lines.push(`-D -f ${mark}`);
  for (const [mark, service] of after) {
    const present = before.get(mark);
    if (!present) lines.push(`-A -f ${mark} -s ${scheduler}`);
    else if (old?.scheduler !== scheduler) lines.push(`-E -f ${mark} -s ${scheduler}`);
    lines.push(...backendLines(mark, present?.backends ?? [], service.backends));
  }
  return lines;
}

/** Marks in front of IPVS, and the balancer's address on what leaves it for hidden clients. */
export function ipvsRuleset(plan: BalancerPlan): Ruleset {
  const hidden = plan.ports
    .filter((port) => port.snat)
    .map((port) => `meta mark ${portMark(port.protocol, port.port)}`);
  const all = plan.services.map((service) => `meta mark ${parseIp(service.vip)}`);
  return {
    family: 'ip',
    table: TABLE,
    maps: {},
    chains: {
      prerouting: {
        hook: 'type filter hook prerouting priority mangle; policy accept;',
        rules: marked(plan).map(({ mark, match }) => `${match} meta mark set ${mark}`),
      },
      postrouting: {
        hook: 'type nat hook postrouting priority srcnat; policy accept;',
        rules: [...all, ...hidden].map(
          (match) => `oifname "eth0" ${match} snat to ${plan.address}`,
        ),
      },
    },
  };
}

/** Balancing in the kernel's own balancer, where it has one. */
export class IpvsBalancer implements BalancerEngine {
  readonly #kernel: Kernel;
  readonly #netns: Netns;
  readonly #writer: TableWriter;
  #applied: BalancerPlan | undefined;

  constructor(components: { kernel: Kernel }, init: { netns: Netns; fresh: boolean }) {
    this.#kernel = components.kernel;
    this.#netns = init.netns;
    this.#writer = new TableWriter(components, init);
  }

  async apply(plan: BalancerPlan): Promise<void> {
    if (!this.#applied) {
      this.#kernel.setSysctls(this.#netns, SYSCTLS);
      await this.#kernel.ipvs(this.#netns, ['-C']);
    }
    const lines = ipvsLines(this.#applied, plan);
    if (lines.length > 0) await this.#kernel.ipvs(this.#netns, lines);
    this.#applied = plan;
    await this.#writer.set(ipvsRuleset(plan));
  }
}

/** A virtual address is its own mark; ports take marks that no unicast address has. */
function marked(plan: BalancerPlan | undefined): MarkedService[] {
  const services = (plan?.services ?? []).map(({ vip, backends }) => ({
    mark: parseIp(vip),
    match: `ip daddr ${vip}`,
    backends,
  }));
  const ports = (plan?.ports ?? []).map(({ protocol, port, backends }) => ({
    mark: portMark(protocol, port),
    match: `meta l4proto ${protocol} th dport ${port}`,
    backends,
  }));
  return [...services, ...ports];
}

function portMark(protocol: string, port: number): number {
  return ['tcp', 'udp', 'sctp'].indexOf(protocol) * 65536 + port;
}

function backendLines(mark: number, old: readonly Backend[], next: readonly Backend[]): string[] {
  const before = new Map(old.map(({ ip, weight }) => [ip, weight]));
  const after = new Map(next.map(({ ip, weight }) => [ip, weight]));
  const lines: string[] = [];
  for (const [ip, weight] of after) {
    if (!before.has(ip)) lines.push(`-a -f ${mark} -r ${ip} -m -w ${weight}`);
    else if (before.get(ip) !== weight) lines.push(`-e -f ${mark} -r ${ip} -m -w ${weight}`);
  }
  for (const ip of before.keys()) if (!after.has(ip)) lines.push(`-d -f ${mark} -r ${ip}`);
  return lines;
}
