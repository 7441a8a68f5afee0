import { parseIp } from '../ipv4.ts';

/** An endpoint as the resolver needs to know it, local or from gossip. */
export interface NamedEndpoint {
  readonly ip: string;
  /** Names of this endpoint alone: container, aliases, short id, hostname. The first is its own. */
  readonly names: readonly string[];
  readonly service?: {
    readonly name: string;
    readonly aliases: readonly string[];
    /** '' in dnsrr mode. */
    readonly virtualIp: string;
    /** '' when the endpoint is no task of the service's slots or nodes. */
    readonly slot: string;
    /** Drains: not to be found by new clients. */
    readonly disabled: boolean;
    /** Named ports for SRV. */
    readonly ports: readonly { name: string; protocol: string; port: number }[];
  };
}

export interface ServicePort {
  readonly target: string;
  readonly port: number;
}

/** The names of one network; keys are lower case. */
export interface NameTable {
  readonly network: string;
  /** Name to addresses in numeric order; empty for a name that exists and leads nowhere now. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  /** Names that lead to a virtual address, which outlives every task behind it. */
  readonly stable: ReadonlySet<string>;
  /** Address to name. */
  readonly pointers: ReadonlyMap<string, string>;
  /** `name` of a service to its tasks' own names. */
  readonly tasks: ReadonlyMap<string, readonly string[]>;
  /** `_port._protocol.service` to what serves it. */
  readonly ports: ReadonlyMap<string, readonly ServicePort[]>;
}

export function buildNameTable(network: string, endpoints: readonly NamedEndpoint[]): NameTable {
  const table = new TableBuilder(network);
  for (const endpoint of endpoints) {
    for (const name of endpoint.names) table.add(name, endpoint.ip);
    table.point(endpoint.ip, endpoint.names[0] ?? '');
    if (endpoint.service) addService(table, endpoint, endpoint.service);
  }
  return table.finish();
}

function addService(
  table: TableBuilder,
  endpoint: NamedEndpoint,
  service: NonNullable<NamedEndpoint['service']>,
): void {
  for (const name of [service.name, ...service.aliases]) {
    table.declare(name);
    table.declare(`tasks.${name}`);
    if (service.slot) table.declare(`${service.slot}.${name}`);
    if (service.virtualIp) table.addStable(name, service.virtualIp);
    if (service.disabled) continue;
    if (!service.virtualIp) table.add(name, endpoint.ip);
    table.add(`tasks.${name}`, endpoint.ip);
    if (service.slot) table.add(`${service.slot}.${name}`, endpoint.ip);
    const target = endpoint.names[0] ?? '';
    table.addTask(name, target);
    for (const { name: label, protocol, port } of service.ports) {
      if (label) table.addPort(`_${label}._${protocol}.${name}`, { target, port });
    }
  }
  if (service.virtualIp) table.point(service.virtualIp, service.name);
}

class TableBuilder {
  readonly #network: string;
  readonly #addresses = new Map<string, Set<string>>();
  readonly #stable = new Set<string>();
  readonly #pointers = new Map<string, string>();
  readonly #tasks = new Map<string, string[]>();
  readonly #ports = new Map<string, ServicePort[]>();

  constructor(network: string) {
    this.#network = network;
  }

  declare(name: string): void {
    const key = name.toLowerCase();
    if (key && !this.#addresses.has(key)) this.#addresses.set(key, new Set());
  }

  add(name: string, ip: string): void {
    this.declare(name);
    this.#addresses.get(name.toLowerCase())?.add(ip);
  }

  addStable(name: string, ip: string): void {
    this.add(name, ip);
    this.#stable.add(name.toLowerCase());
  }

  point(ip: string, name: string): void {
    if (name && !this.#pointers.has(ip)) this.#pointers.set(ip, `${name}.${this.#network}`);
  }

  addTask(service: string, target: string): void {
    append(this.#tasks, service.toLowerCase(), target);
  }

  addPort(name: string, port: ServicePort): void {
    append(this.#ports, name.toLowerCase(), port);
  }

  finish(): NameTable {
    const sorted = [...this.#addresses].map(
      ([name, ips]) => [name, [...ips].sort((a, b) => parseIp(a) - parseIp(b))] as const,
    );
    return {
      network: this.#network,
      addresses: new Map(sorted),
      stable: this.#stable,
      pointers: this.#pointers,
      tasks: this.#tasks,
      ports: this.#ports,
    };
  }
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
