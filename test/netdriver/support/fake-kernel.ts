import {
  HOST,
  type Kernel,
  KernelError,
  type L4Protocol,
  type Link,
  type LinkAddress,
  type LinkOp,
  type Netns,
  type PeerEntries,
  type PolicyRule,
  type PortReservation,
  type Route,
} from '../../../netdriver/kernel/types.ts';
import { NftSimulator } from './nft-simulator.ts';

interface FakeLink {
  kind: string;
  mac: string;
  master: string;
  up: boolean;
  vni?: number;
  /** The other end of a veth pair. */
  peer?: { netns: Netns; name: string };
}

class FakeNamespace {
  readonly links = new Map<string, FakeLink>();
  addresses: LinkAddress[] = [];
  routes: Route[] = [];
  rules: PolicyRule[] = [];
  readonly neighbours = new Map<string, string>();
  readonly fdb = new Map<string, string>();
  readonly nft = new NftSimulator();
  readonly sysctls = new Map<string, string>();
}

/**
 * A kernel in memory. Every call that could fail may be told to: `failAt` counts calls down and
 * throws at zero.
 */
export class FakeKernel implements Kernel {
  readonly namespaces = new Map<Netns, FakeNamespace>([[HOST, new FakeNamespace()]]);
  readonly reserved = new Set<string>();
  calls = 0;
  failAt: number | undefined;
  #sockets = 0;

  netnsPath(name: Netns): string {
    return `/run/netns/${name}`;
  }

  netnsNames(): readonly Netns[] {
    return [...this.namespaces.keys()].filter((name) => name !== HOST);
  }

  async createNetns(name: Netns): Promise<void> {
    this.#step('createNetns');
    if (this.namespaces.has(name)) throw new KernelError('EEXIST', name);
    this.namespaces.set(name, new FakeNamespace());
  }

  removeNetns(name: Netns): void {
    const gone = this.namespaces.get(name);
    for (const link of gone?.links.keys() ?? []) this.#deleteLink(name, link);
    this.namespaces.delete(name);
  }

  async apply(netns: Netns, ops: readonly LinkOp[]): Promise<void> {
    for (const op of ops) {
      this.#step(op.op);
      this.#apply(netns, op);
    }
  }

  async tryApply(netns: Netns, ops: readonly LinkOp[]): Promise<void> {
    for (const op of ops) {
      try {
        this.#apply(netns, op);
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
      }
    }
  }

  async deleteLinks(netns: Netns, names: readonly string[]): Promise<void> {
    for (const name of names) this.#deleteLink(netns, name);
  }

  hasLink(netns: Netns, name: string): boolean {
    return this.#get(netns).links.has(name);
  }

  links(netns: Netns): readonly Link[] {
    const names = [...this.#get(netns).links.keys()];
    return [...this.#get(netns).links].map(([name, link], index) => ({
      index: index + 1,
      name,
      kind: link.kind,
      mac: link.mac,
      mtu: 1500,
      up: link.up,
      master: names.indexOf(link.master) + 1,
      vni: link.vni,
    }));
  }

  addresses(netns: Netns): readonly LinkAddress[] {
    return this.#get(netns).addresses;
  }

  routes(netns: Netns): readonly Route[] {
    return this.#get(netns).routes;
  }

  rules(netns: Netns): readonly PolicyRule[] {
    return this.#get(netns).rules;
  }

  peerEntries(netns: Netns, dev: string): PeerEntries {
    const of = (map: Map<string, string>) =>
      [...map].flatMap(([key, value]) => {
        const [device, first = ''] = key.split(' ');
        return device === dev ? [[first, value] as const] : [];
      });
    const { neighbours, fdb } = this.#get(netns);
    return {
      neighbours: of(neighbours).map(([ip, mac]) => ({ ip, mac })),
      fdb: of(fdb).map(([mac, vtep]) => ({ mac, vtep })),
    };
  }

  setSysctls(netns: Netns, values: Readonly<Record<string, string>>): void {
    this.#step('setSysctls');
    for (const [key, value] of Object.entries(values)) this.#get(netns).sysctls.set(key, value);
  }

  sysctl(netns: Netns, key: string): string | undefined {
    return this.#get(netns).sysctls.get(key);
  }

  async nft(netns: Netns, script: string): Promise<void> {
    await Promise.resolve();
    // Removals never fail: with them an undo could not be told from what it undoes.
    if (script.includes('add rule') || script.includes('add element')) this.#step('nft');
    this.#get(netns).nft.run(script);
  }

  readonly accepted = new Set<string>();

  async acceptForwarding(_netns: Netns, device: string, accept: boolean): Promise<void> {
    if (accept) {
      this.#step('acceptForwarding');
      this.accepted.add(device);
    } else {
      this.accepted.delete(device);
    }
  }

  async nftTables(netns: Netns): Promise<readonly string[]> {
    return [...this.#get(netns).nft.tables.keys()];
  }

  async nftOrdersMarks(): Promise<boolean> {
    return false;
  }

  async nftElements(netns: Netns, table: string, map: string) {
    const elements = this.#get(netns).nft.tables.get(table)?.maps.get(map)?.elements ?? new Map();
    return [...elements].map(([key, value]) => ({
      key: key.split(' . '),
      value: value.split(' . '),
    }));
  }

  async ipvs(): Promise<void> {}

  async deleteFlows(): Promise<void> {}

  openSocket(): { fd: number; port: number } {
    this.#step('openSocket');
    this.#sockets += 1;
    return { fd: -1, port: 20_000 + this.#sockets };
  }

  reservePort(
    _netns: Netns,
    protocol: L4Protocol,
    _address: string,
    port: number,
  ): PortReservation {
    this.#step('reservePort');
    const key = `${protocol} ${port}`;
    if (this.reserved.has(key)) throw new KernelError('EADDRINUSE', key);
    this.reserved.add(key);
    return { port, release: () => this.reserved.delete(key) };
  }

  portOwner(): string | undefined {
    return undefined;
  }

  #step(what: string): void {
    this.calls += 1;
    if (this.failAt !== undefined && this.failAt-- === 0) {
      this.failAt = undefined;
      throw new KernelError('EIO', `told to fail at ${what}`);
    }
  }

  #apply(netns: Netns, op: LinkOp): void {
    const ns = this.#get(netns);
    switch (op.op) {
      case 'add-bridge':
        this.#addLink(netns, op.name, { kind: 'bridge', mac: op.mac ?? '', master: '', up: true });
        return;
      case 'add-vxlan':
        this.#addVxlan(op);
        return;
      case 'add-veth':
        this.#addVeth(netns, op);
        return;
      case 'set-link':
        Object.assign(this.#link(netns, op.name), {
          ...(op.up === undefined ? {} : { up: op.up }),
          ...(op.master ? { master: op.master } : {}),
        });
        return;
      case 'add-address':
        this.#link(netns, op.dev);
        ns.addresses.push({ dev: op.dev, address: op.address });
        return;
      case 'del-address':
        ns.addresses = ns.addresses.filter((entry) => entry.address !== op.address);
        return;
      case 'set-route':
      case 'del-route':
        ns.routes = ns.routes.filter((r) => r.to !== op.to || r.table !== (op.table ?? 254));
        if (op.op === 'del-route') return;
        ns.routes.push({ to: op.to, via: op.via, dev: op.dev ?? '', table: op.table ?? 254 });
        return;
      case 'set-neighbour':
        ns.neighbours.set(`${op.dev} ${op.ip}`, op.mac);
        return;
      case 'del-neighbour':
        ns.neighbours.delete(`${op.dev} ${op.ip}`);
        return;
      case 'set-fdb':
        ns.fdb.set(`${op.dev} ${op.mac}`, op.vtep);
        return;
      case 'del-fdb':
        ns.fdb.delete(`${op.dev} ${op.mac}`);
        return;
      case 'add-rule':
      case 'del-rule':
        ns.rules = ns.rules.filter((rule) => rule.table !== op.table);
        if (op.op === 'add-rule') {
          ns.rules.push({ mark: op.mark, table: op.table, priority: op.priority });
        }
    }
  }

  #addVxlan(op: LinkOp & { op: 'add-vxlan' }): void {
    const all = [...this.namespaces.values()].flatMap((ns) => [...ns.links.values()]);
    if (all.some((link) => link.vni === op.vni)) throw new KernelError('EEXIST', `VNI ${op.vni}`);
    this.#addLink(op.netns, op.name, {
      kind: 'vxlan',
      mac: '',
      master: '',
      up: false,
      vni: op.vni,
    });
  }

  #addVeth(netns: Netns, op: LinkOp & { op: 'add-veth' }): void {
    this.#link(netns, op.master);
    const { links } = this.#get(netns);
    let name = op.name;
    for (let i = 0; name.includes('%d') || (name !== op.name && links.has(name)); i++) {
      name = op.name.replace('%d', String(i));
      if (!links.has(name)) break;
    }
    const { peer } = op;
    this.#addLink(netns, name, {
      kind: 'veth',
      mac: '',
      master: op.master,
      up: true,
      peer: { netns: peer.netns, name: peer.name },
    });
    this.#addLink(peer.netns, peer.name, {
      kind: 'veth',
      mac: peer.mac,
      master: '',
      up: false,
      peer: { netns, name },
    });
  }

  #addLink(netns: Netns, name: string, link: FakeLink): void {
    const { links } = this.#get(netns);
    if (links.has(name)) throw new KernelError('EEXIST', name);
    links.set(name, link);
  }

  #deleteLink(netns: Netns, name: string): void {
    const ns = this.namespaces.get(netns);
    const link = ns?.links.get(name);
    if (!ns || !link) return;
    ns.links.delete(name);
    ns.addresses = ns.addresses.filter((entry) => entry.dev !== name);
    if (link.peer) this.#deleteLink(link.peer.netns, link.peer.name);
  }

  #link(netns: Netns, name: string): FakeLink {
    const link = this.#get(netns).links.get(name);
    if (!link) throw new KernelError('ENODEV', name);
    return link;
  }

  #get(netns: Netns): FakeNamespace {
    const ns = this.namespaces.get(netns);
    if (!ns) throw new KernelError('ENOENT', `there is no network namespace ${netns}`);
    return ns;
  }
}
