/** A network namespace by its name under the namespace folder; `HOST` is the one swarmd runs in. */
export type Netns = string;

export const HOST: Netns = '';

/**
 * One change of links, addresses, routes, neighbours or rules. Names are resolved inside the
 * namespace the operation is applied to.
 */
export type LinkOp =
  | { op: 'add-bridge'; name: string; mac?: string }
  /** `name` may end in `%d`: the kernel takes the lowest free number. It comes up, its peer does not. */
  | {
      op: 'add-veth';
      name: string;
      master: string;
      mtu: number;
      /** Cannot talk to other isolated ports of the same bridge; needs a fixed name. */
      isolated?: boolean;
      peer: { name: string; netns: Netns; mac: string };
    }
  /**
   * The device appears in `netns`, its UDP socket stays in the namespace the operation is applied
   * to. (Moving the device there afterwards has the same end, but waits for an RCU period.)
   */
  | { op: 'add-vxlan'; name: string; netns: Netns; vni: number; port: number; mtu: number }
  | { op: 'set-link'; name: string; master?: string; up?: boolean; mtu?: number }
  | { op: 'add-address'; dev: string; address: string }
  | { op: 'del-address'; dev: string; address: string }
  | { op: 'set-route'; to: string; via?: string; dev?: string; table?: number; mtu?: number }
  | { op: 'del-route'; to: string; via?: string; dev?: string; table?: number }
  /** Permanent, replaces what is there. */
  | { op: 'set-neighbour'; dev: string; ip: string; mac: string }
  | { op: 'del-neighbour'; dev: string; ip: string }
  /** Forwarding entry of a VXLAN device. */
  | { op: 'set-fdb'; dev: string; mac: string; vtep: string }
  | { op: 'del-fdb'; dev: string; mac: string; vtep: string }
  | { op: 'add-rule'; mark: number; table: number; priority: number }
  | { op: 'del-rule'; mark: number; table: number; priority: number };

export interface Link {
  readonly index: number;
  readonly name: string;
  /** bridge, veth, vxlan, …; '' for physical devices and lo. */
  readonly kind: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  /** Index of the bridge it is a port of, 0 for none. */
  readonly master: number;
  readonly vni: number | undefined;
}

export interface LinkAddress {
  readonly dev: string;
  /** CIDR. */
  readonly address: string;
}

export interface Route {
  /** CIDR; `0.0.0.0/0` for the default route. */
  readonly to: string;
  readonly via: string | undefined;
  readonly dev: string;
  readonly table: number;
}

export interface PolicyRule {
  readonly mark: number;
  readonly table: number;
  readonly priority: number;
}

/** A neighbour (`ip`) or, of a VXLAN device, a forwarding entry (`vtep`). */
export interface PeerEntries {
  readonly neighbours: readonly { ip: string; mac: string }[];
  readonly fdb: readonly { mac: string; vtep: string }[];
}

export type L4Protocol = 'tcp' | 'udp' | 'sctp';

/** Flows of the connection tracker; every given field must match. */
export interface FlowFilter {
  readonly protocol?: L4Protocol;
  /** The address the client asked for. */
  readonly originalDestination?: string;
  /** The port the client asked for. */
  readonly originalPort?: number;
  /** The address that answers, after translation. */
  readonly replySource?: string;
}

/** What the kernel refused. `code` is the errno's name, such as EEXIST. */
export class KernelError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'KernelError';
    this.code = code;
  }
}

export function isKernelError(error: unknown, ...codes: string[]): error is KernelError {
  return error instanceof KernelError && (codes.length === 0 || codes.includes(error.code));
}

/** A socket held open so that nobody else takes the port. */
export interface PortReservation {
  readonly port: number;
  release(): void;
}

/**
 * The only way to the kernel. Questions and settings are synchronous and take microseconds. What
 * changes devices and routes is asynchronous: it waits for a lock that the kernel holds for tens of
 * milliseconds while it clears away namespaces.
 */
export interface Kernel {
  netnsPath(name: Netns): string;
  netnsNames(): readonly Netns[];
  /** Throws EEXIST. Its loopback is up. */
  createNetns(name: Netns): Promise<void>;
  /** Idempotent. The links inside go with it, unless a process still lives there. */
  removeNetns(name: Netns): void;

  /** Applies in order; rejects with a KernelError that names the operation that failed. */
  apply(netns: Netns, ops: readonly LinkOp[]): Promise<void>;
  /** Like `apply`, going on after operations that fail because the thing is not there any more. */
  tryApply(netns: Netns, ops: readonly LinkOp[]): Promise<void>;
  /** Idempotent. Slow: every deletion of a device waits for an RCU period (15 ms). */
  deleteLinks(netns: Netns, names: readonly string[]): Promise<void>;

  hasLink(netns: Netns, name: string): boolean;
  links(netns: Netns): readonly Link[];
  addresses(netns: Netns): readonly LinkAddress[];
  routes(netns: Netns): readonly Route[];
  rules(netns: Netns): readonly PolicyRule[];
  /** Permanent entries of a VXLAN device. */
  peerEntries(netns: Netns, dev: string): PeerEntries;

  /** Keys as sysctl(8) takes them, with dots or with slashes. Unknown keys are skipped. */
  setSysctls(netns: Netns, values: Readonly<Record<string, string>>): void;
  sysctl(netns: Netns, key: string): string | undefined;

  /** Runs one atomic nft script. */
  nft(netns: Netns, script: string): Promise<void>;
  /**
   * Lets packets pass a device where another firewall drops what is forwarded, as Docker's does;
   * ours has judged them already. Nothing happens where none drops.
   */
  acceptForwarding(netns: Netns, device: string, accept: boolean): Promise<void>;
  /** The names of the nft tables of a namespace, as `family name`. */
  nftTables(netns: Netns): Promise<readonly string[]>;
  /**
   * Whether this nft turns four bytes of a packet into the machine's byte order when they become a
   * mark. Versions differ, and the ruleset does not show it.
   */
  nftOrdersMarks(): Promise<boolean>;
  /** The elements of a map: the parts of each key and of its value. */
  nftElements(
    netns: Netns,
    table: string,
    map: string,
  ): Promise<readonly { key: readonly string[]; value: readonly string[] }[]>;
  /** Runs ipvsadm-restore on these lines. */
  ipvs(netns: Netns, lines: readonly string[]): Promise<void>;
  /** Forgets the flows that match any of the filters. */
  deleteFlows(netns: Netns, filters: readonly FlowFilter[]): Promise<void>;

  /**
   * A bound socket inside a namespace, non-blocking, for `dgram` or `net` to take over by its file
   * descriptor. Port 0 is any; TCP does not listen yet.
   */
  openSocket(
    netns: Netns,
    init: { protocol: 'tcp' | 'udp'; address: string; port: number },
  ): { fd: number; port: number };
  /** Throws EADDRINUSE. Protocols that the kernel lacks are reserved by nobody and succeed. */
  reservePort(netns: Netns, protocol: L4Protocol, address: string, port: number): PortReservation;
  /** Who listens on a port, as "name (pid N)"; undefined when nobody is found. */
  portOwner(netns: Netns, protocol: L4Protocol, port: number): string | undefined;
}
