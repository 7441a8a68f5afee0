import type { FlowFilter, Kernel, LinkOp, Netns } from '../kernel/types.ts';
import type { Backend, BalancerEngine, BalancerEngineFactory, BalancerPlan } from './types.ts';

/** Packets come in and go out through the same interface, and nobody is told of a shorter way. */
const SYSCTLS = {
  'net.ipv4.ip_forward': '1',
  'net.ipv4.conf.all.send_redirects': '0',
  'net.ipv4.conf.default.send_redirects': '0',
  'net.ipv4.conf.all.rp_filter': '0',
  'net.ipv4.conf.default.rp_filter': '0',
  'net.ipv6.conf.all.disable_ipv6': '1',
  'net.ipv6.conf.default.disable_ipv6': '1',
} as const;

const DEVICE = 'eth0';

/** The namespace in which this node balances the traffic of one network. */
export class LoadBalancer {
  readonly netns: Netns;
  readonly #kernel: Kernel;
  readonly #newEngine: BalancerEngineFactory;
  #engine: BalancerEngine | undefined;
  #applied: BalancerPlan | undefined;
  #aliases: ReadonlySet<string> = new Set();

  constructor(
    components: { kernel: Kernel; engine: BalancerEngineFactory },
    init: { netns: Netns },
  ) {
    this.#kernel = components.kernel;
    this.#newEngine = components.engine;
    this.netns = init.netns;
  }

  /** Makes the namespace; the caller attaches it as `eth0`. */
  async create(): Promise<void> {
    this.#kernel.removeNetns(this.netns);
    await this.#kernel.createNetns(this.netns);
    this.#kernel.setSysctls(this.netns, SYSCTLS);
    this.#engine = this.#newEngine(this.netns, { fresh: true });
  }

  /** Takes over the namespace of an earlier life, aliases and rules as they are, if it has `address`. */
  adopt(address: string): boolean {
    if (!this.#kernel.netnsNames().includes(this.netns)) return false;
    const present = this.#kernel
      .addresses(this.netns)
      .filter((entry) => entry.dev === DEVICE)
      .map((entry) => entry.address);
    if (!present.includes(address)) return false;
    this.#aliases = new Set(present.filter((entry) => entry !== address));
    this.#engine = this.#newEngine(this.netns, { fresh: false });
    return true;
  }

  remove(): void {
    this.#kernel.removeNetns(this.netns);
    this.#engine = undefined;
    this.#applied = undefined;
    this.#aliases = new Set();
  }

  /** Addresses appear before the rules for them and vanish after: no connection meets a stranger. */
  async apply(plan: BalancerPlan): Promise<void> {
    const engine = this.#engine;
    if (!engine) return;
    const old = this.#applied;
    this.#applied = plan;
    const wanted = new Set(plan.services.map((service) => `${service.vip}/32`));
    await this.#changeAliases('add-address', wanted, this.#aliases);
    await engine.apply(plan);
    await this.#changeAliases('del-address', this.#aliases, wanted);
    this.#aliases = wanted;
    await this.#forgetFlows(old, plan);
  }

  async #changeAliases(
    op: 'add-address' | 'del-address',
    from: ReadonlySet<string>,
    except: ReadonlySet<string>,
  ): Promise<void> {
    const ops = [...from]
      .filter((address) => !except.has(address))
      .map((address): LinkOp => ({ op, dev: DEVICE, address }));
    if (this.#engine) await this.#kernel.tryApply(this.netns, ops);
  }

  /** TCP may finish while a backend drains; UDP has no end to wait for. */
  async #forgetFlows(old: BalancerPlan | undefined, next: BalancerPlan): Promise<void> {
    if (!old) return;
    const { gone, drained } = backendChanges(old, next);
    const filters = [
      ...gone.map((replySource): FlowFilter => ({ replySource })),
      ...drained.map((replySource): FlowFilter => ({ replySource, protocol: 'udp' })),
    ];
    if (this.#engine) await this.#kernel.deleteFlows(this.netns, filters);
  }
}

/** Addresses that no service leads to any more, and those that only drain since this change. */
export function backendChanges(
  old: BalancerPlan,
  next: BalancerPlan,
): { gone: string[]; drained: string[] } {
  const weights = (plan: BalancerPlan) => {
    const result = new Map<string, number>();
    const all: Backend[] = [...plan.services, ...plan.ports].flatMap((entry) => entry.backends);
    for (const { ip, weight } of all) result.set(ip, Math.max(result.get(ip) ?? 0, weight));
    return result;
  };
  const [before, after] = [weights(old), weights(next)];
  const changed = [...before.keys()];
  return {
    gone: changed.filter((ip) => !after.has(ip)),
    drained: changed.filter((ip) => after.get(ip) === 0 && before.get(ip) !== 0),
  };
}
