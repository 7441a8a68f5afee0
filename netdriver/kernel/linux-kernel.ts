import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { flowArguments } from './conntrack.ts';
import { forwardingScript } from './forwarding.ts';
import { Namespaces, type NamespacesInit } from './namespaces.ts';
import {
  decodeAddress,
  decodeLink,
  decodePeerEntries,
  decodeRoute,
  decodeRule,
  dumps,
} from './netlink/dumps.ts';
import { deleteLinkRequest, requestsOf } from './netlink/requests.ts';
import { NetlinkSocket } from './netlink/socket.ts';
import { parseElements } from './nft-json.ts';
import { portOwner } from './port-owner.ts';
import { outputOf, ProgramRunner } from './programs.ts';
import { openSocket, reservePort } from './sockets.ts';
import { interfaceIndex } from './syscalls.ts';
import {
  type FlowFilter,
  HOST,
  isKernelError,
  type Kernel,
  type L4Protocol,
  type Link,
  type LinkAddress,
  type LinkOp,
  type Netns,
  type PeerEntries,
  type PolicyRule,
  type PortReservation,
  type Route,
} from './types.ts';

/** Not there (any more), which is what a removal wants. */
const GONE = ['ENODEV', 'ENOENT', 'ESRCH', 'EADDRNOTAVAIL', 'EEXIST'];

/** The real thing. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN. */
export class LinuxKernel implements Kernel {
  readonly #namespaces: Namespaces;
  readonly #programs = new ProgramRunner();

  constructor(init: NamespacesInit = {}) {
    this.#namespaces = new Namespaces(init);
  }

  netnsPath(name: Netns): string {
    return this.#namespaces.path(name);
  }

  netnsNames(): readonly Netns[] {
    return this.#namespaces.names();
  }

  async createNetns(name: Netns): Promise<void> {
    this.#namespaces.create(name);
    try {
      await this.apply(name, [{ op: 'set-link', name: 'lo', up: true }]);
    } catch (error) {
      this.#namespaces.remove(name);
      throw error;
    }
  }

  removeNetns(name: Netns): void {
    this.#namespaces.remove(name);
  }

  apply(netns: Netns, ops: readonly LinkOp[]): Promise<void> {
    return this.#apply(netns, ops, []);
  }

  async tryApply(netns: Netns, ops: readonly LinkOp[]): Promise<void> {
    try {
      await this.#apply(netns, ops, GONE);
    } catch (error) {
      if (!isKernelError(error, 'ENOENT')) throw error;
    }
  }

  async deleteLinks(netns: Netns, names: readonly string[]): Promise<void> {
    if (names.length === 0 || !this.#namespaces.exists(netns)) return;
    const opened = this.#namespaces.inside(netns, () => ({
      socket: new NetlinkSocket(),
      links: names.flatMap((name) => existingLink(name)),
    }));
    try {
      for (const { name, index } of opened.links) {
        try {
          await opened.socket.request(deleteLinkRequest(index), `deleting ${name}`);
        } catch (error) {
          if (!isKernelError(error, ...GONE)) throw error;
        }
      }
    } finally {
      opened.socket.close();
    }
  }

  hasLink(netns: Netns, name: string): boolean {
    return this.#namespaces.inside(netns, () => existingLink(name).length > 0);
  }

  links(netns: Netns): readonly Link[] {
    return this.#socket(netns, (socket) => socket.dump(dumps.links, 'listing links')).map(
      decodeLink,
    );
  }

  addresses(netns: Netns): readonly LinkAddress[] {
    return this.#socket(netns, (socket) => {
      const nameOf = deviceNames(socket);
      return socket
        .dump(dumps.addresses, 'listing addresses')
        .map((body) => decodeAddress(body, nameOf));
    });
  }

  routes(netns: Netns): readonly Route[] {
    return this.#socket(netns, (socket) => {
      const nameOf = deviceNames(socket);
      return socket
        .dump(dumps.routes, 'listing routes')
        .flatMap((body) => decodeRoute(body, nameOf) ?? []);
    });
  }

  rules(netns: Netns): readonly PolicyRule[] {
    const bodies = this.#socket(netns, (socket) => socket.dump(dumps.rules, 'listing rules'));
    return bodies.flatMap((body) => decodeRule(body) ?? []);
  }

  peerEntries(netns: Netns, dev: string): PeerEntries {
    return this.#socket(netns, (socket) =>
      decodePeerEntries(
        interfaceIndex(dev),
        socket.dump(dumps.neighbours, 'listing neighbours'),
        socket.dump(dumps.fdb, 'listing forwarding entries'),
      ),
    );
  }

  setSysctls(netns: Netns, values: Readonly<Record<string, string>>): void {
    const entries = Object.entries(values);
    if (entries.length === 0) return;
    this.#namespaces.inside(netns, () => {
      for (const [key, value] of entries) {
        ignoreMissing(() => writeFileSync(sysctlPath(key), value));
      }
    });
  }

  sysctl(netns: Netns, key: string): string | undefined {
    return this.#namespaces.inside(netns, () =>
      ignoreMissing(() => readFileSync(sysctlPath(key), 'utf8').trim()),
    );
  }

  async nft(netns: Netns, script: string): Promise<void> {
    await this.#programs.run(this.netnsPath(netns), ['nft', '-f', '-'], script);
  }

  async acceptForwarding(netns: Netns, device: string, accept: boolean): Promise<void> {
    await this.#programs.run(this.netnsPath(netns), ['sh'], forwardingScript(device, accept));
  }

  async nftTables(netns: Netns): Promise<readonly string[]> {
    const output = await outputOf(this.netnsPath(netns), ['nft', 'list', 'tables']);
    return output
      .split('\n')
      .filter((line) => line.startsWith('table '))
      .map((line) => line.slice('table '.length).trim());
  }

  async nftOrdersMarks(): Promise<boolean> {
    const script = [
      'add table ip probe',
      'add chain ip probe c { type filter hook prerouting priority mangle; }',
      'add rule ip probe c ct mark set @ll,64,32',
    ].join('\n');
    const command = ['nft', '--debug=netlink', '--check', '-f', '-'];
    const code = await outputOf(this.netnsPath(HOST), command, `${script}\n`);
    return code.includes('byteorder');
  }

  async nftElements(netns: Netns, table: string, map: string) {
    const command = ['nft', '-j', 'list', 'map', ...table.split(' '), map];
    return parseElements(await outputOf(this.netnsPath(netns), command));
  }

  async ipvs(netns: Netns, lines: readonly string[]): Promise<void> {
    await this.#programs.run(this.netnsPath(netns), ['ipvsadm', '-R'], lines.join('\n'));
  }

  async deleteFlows(netns: Netns, filters: readonly FlowFilter[]): Promise<void> {
    if (filters.length === 0) return;
    const commands = filters.map((filter) => `conntrack -D ${flowArguments(filter).join(' ')}`);
    // conntrack ends with 1 when there is nothing to delete, which is as good.
    const script = ['command -v conntrack >/dev/null || exit 127', ...commands, 'true'];
    await this.#programs.run(this.netnsPath(netns), ['sh'], script.join('\n'));
  }

  openSocket(
    netns: Netns,
    init: { protocol: 'tcp' | 'udp'; address: string; port: number },
  ): { fd: number; port: number } {
    return this.#namespaces.inside(netns, () => openSocket(init));
  }

  reservePort(netns: Netns, protocol: L4Protocol, address: string, port: number): PortReservation {
    return this.#namespaces.inside(netns, () => reservePort(protocol, address, port));
  }

  portOwner(netns: Netns, protocol: L4Protocol, port: number): string | undefined {
    return this.#namespaces.inside(netns, () => portOwner(protocol, port));
  }

  /**
   * Names are looked up one operation after the other, since an earlier one may have made what a
   * later one names; descriptors of other namespaces are opened first, in the host's view.
   */
  async #apply(netns: Netns, ops: readonly LinkOp[], forgiven: readonly string[]): Promise<void> {
    if (ops.length === 0) return;
    const open = new Map<Netns, number>();
    let socket: NetlinkSocket | undefined;
    try {
      for (const name of [netns, ...ops.flatMap(otherNamespaces)]) {
        if (!open.has(name)) open.set(name, this.#namespaces.open(name));
      }
      const fd = open.get(netns) ?? -1;
      const lookup = { index: interfaceIndex, netns: (name: string) => open.get(name) ?? -1 };
      socket = this.#namespaces.enter(fd, () => new NetlinkSocket());
      for (const op of ops) {
        try {
          const requests = requestsOf(op, lookup);
          for (;;) {
            const { done, value } = this.#namespaces.enter(fd, () => requests.next());
            if (done) break;
            await socket.request(value, describe(op, netns));
          }
        } catch (error) {
          if (forgiven.length === 0 || !isKernelError(error, ...forgiven)) throw error;
        }
      }
    } finally {
      socket?.close();
      for (const fd of open.values()) closeSync(fd);
    }
  }

  #socket<T>(netns: Netns, use: (socket: NetlinkSocket) => T): T {
    return this.#namespaces.inside(netns, () => {
      const socket = new NetlinkSocket();
      try {
        return use(socket);
      } finally {
        socket.close();
      }
    });
  }
}

function otherNamespaces(op: LinkOp): string[] {
  if (op.op === 'add-veth') return [op.peer.netns];
  return op.op === 'add-vxlan' ? [op.netns] : [];
}

function describe(op: LinkOp, netns: Netns): string {
  const { op: verb, ...rest } = op;
  const words = Object.entries(rest).map(([key, value]) =>
    typeof value === 'object' ? JSON.stringify(value) : `${key} ${value}`,
  );
  return `${verb} ${words.join(' ')}${netns ? ` in ${netns}` : ''}`;
}

function existingLink(name: string): { name: string; index: number }[] {
  try {
    return [{ name, index: interfaceIndex(name) }];
  } catch {
    return [];
  }
}

function deviceNames(socket: NetlinkSocket): (index: number) => string {
  const names = new Map(
    socket.dump(dumps.links, 'listing links').map((body) => {
      const link = decodeLink(body);
      return [link.index, link.name] as const;
    }),
  );
  return (index) => names.get(index) ?? '';
}

/** As sysctl(8): the first separator tells which of dots and slashes separate. */
function sysctlPath(key: string): string {
  const dotted = /^[^/]*\./.test(key);
  return `/proc/sys/${dotted ? key.replaceAll('.', '/') : key}`;
}

function ignoreMissing<T>(fn: () => T): T | undefined {
  try {
    return fn();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
