import { renderRemoval } from '../kernel/ruleset.ts';
import { TableWriter } from '../kernel/table-writer.ts';
import { HOST, type Kernel, type Link } from '../kernel/types.ts';
import { TABLE } from '../names.ts';
import { type HostBridge, type HostPort, hostRuleset } from './host-rules.ts';

/** Settings of the host's namespace that every network of ours needs. */
const HOST_SYSCTLS = { 'net.ipv4.ip_forward': '1' } as const;
const BRIDGE_SYSCTLS = { 'net.bridge.bridge-nf-call-iptables': '0' } as const;

/** Keeps the host's table equal to what bridges, published ports and ingress ask for. */
export class HostFirewall {
  readonly #kernel: Kernel;
  readonly #writer: TableWriter;
  readonly #bridges = new Map<string, HostBridge>();
  readonly #ports = new Map<string, readonly HostPort[]>();
  #held = false;

  constructor(components: { kernel: Kernel }) {
    this.#kernel = components.kernel;
    this.#writer = new TableWriter(components, { netns: HOST });
  }

  /** Keeps what an earlier life wrote until `release`, while its state is taken over piece by piece. */
  hold(): void {
    this.#held = true;
  }

  async release(): Promise<void> {
    this.#held = false;
    await this.#write();
    const isEmpty = this.#bridges.size === 0 && this.#ports.size === 0;
    if (!isEmpty) return;
    const own = { family: 'ip', table: TABLE } as const;
    const present = await this.#kernel.nftTables(HOST);
    if (present.includes(`ip ${TABLE}`)) await this.#kernel.nft(HOST, renderRemoval(own));
  }

  async addBridge(bridge: HostBridge): Promise<void> {
    this.#bridges.set(bridge.device, bridge);
    this.#setSysctls();
    await this.#write();
    await this.#kernel.acceptForwarding(HOST, bridge.device, true);
  }

  async removeBridge(device: string): Promise<void> {
    if (!this.#bridges.delete(device)) return;
    await this.#kernel.acceptForwarding(HOST, device, false);
    await this.#write();
  }

  /** The ports of one owner, all of them; none removes the owner. */
  async setPorts(owner: string, ports: readonly HostPort[]): Promise<void> {
    const old = this.#ports.get(owner) ?? [];
    if (ports.length === 0) this.#ports.delete(owner);
    else this.#ports.set(owner, ports);
    if (old.length === 0 && ports.length === 0) return;
    await this.#write();
    if (!this.#held) await this.#forgetFlows(old, ports);
  }

  /**
   * With br_netfilter on, a packet that a container sends to a published port is switched inside its
   * bridge, past the rules that keep containers apart. Software with bridges of its own may need it
   * on, so it is switched off only where all bridges are ours.
   */
  #setSysctls(): void {
    const isOurs = ({ name }: Link) => this.#bridges.has(name);
    const bridges = this.#kernel.links(HOST).filter((link) => link.kind === 'bridge');
    const alone = bridges.every(isOurs);
    this.#kernel.setSysctls(HOST, { ...HOST_SYSCTLS, ...(alone ? BRIDGE_SYSCTLS : {}) });
  }

  async #write(): Promise<void> {
    if (this.#held) return;
    if (this.#bridges.size === 0 && this.#ports.size === 0) return this.#writer.clear();
    return this.#writer.set(
      hostRuleset({
        bridges: [...this.#bridges.values()],
        ports: [...this.#ports.values()].flat(),
      }),
    );
  }

  /** A UDP flow that began before its rule would keep missing it for as long as packets come. */
  async #forgetFlows(old: readonly HostPort[], next: readonly HostPort[]): Promise<void> {
    const text = (port: HostPort) => JSON.stringify(port);
    const [before, after] = [new Set(old.map(text)), new Set(next.map(text))];
    const changed = [
      ...old.filter((port) => !after.has(text(port))),
      ...next.filter((port) => !before.has(text(port))),
    ];
    const udp = new Set(changed.filter((p) => p.protocol === 'udp').map((p) => p.hostPort));
    await this.#kernel.deleteFlows(
      HOST,
      [...udp].map((originalPort) => ({ protocol: 'udp', originalPort })),
    );
  }
}
