import { ipOf } from '../ipv4.ts';
import type { EndpointRow, Records } from '../records.ts';
import { buildNameTable, type NamedEndpoint, type NameTable } from '../resolver/name-table.ts';
import { namedEndpoints } from '../resolver/named-endpoints.ts';
import type { Sandbox } from './sandbox.ts';

interface Components {
  readonly records: Pick<Records, 'endpoints'>;
  /** Every sandbox of this node. */
  readonly sandboxes: () => Iterable<Sandbox>;
  /** The ingress network, where published ports have their names. */
  readonly ingressId: () => string | undefined;
}

/** The name tables of all networks, each built when asked for after a change. */
export class NameDirectory {
  readonly #components: Components;
  readonly #tables = new Map<string, NameTable>();

  constructor(components: Components) {
    this.#components = components;
  }

  /** Something about the network changed. Named ports are found through every other network. */
  invalidate(networkId: string): void {
    if (networkId === this.#components.ingressId()) this.#tables.clear();
    else this.#tables.delete(networkId);
  }

  /** What a container sees: user overlays first, then local networks; ingress has no names. */
  tablesFor(sandbox: Sandbox): NameTable[] {
    const networks = [...sandbox.endpoints.values()]
      .map(({ config }) => config.network)
      .filter((network) => !network.ingress && network.name !== 'bridge');
    const rank = (driver: string) => (driver === 'overlay' ? 0 : 1);
    return networks
      .sort((a, b) => rank(a.driver) - rank(b.driver))
      .map((network) => this.#table(network));
  }

  #table(network: { id: string; name: string; driver: string }): NameTable {
    const known = this.#tables.get(network.id);
    if (known) return known;
    const endpoints =
      network.driver === 'overlay' ? this.#overlayEndpoints(network.id) : this.#local(network.id);
    const table = buildNameTable(network.name, endpoints);
    this.#tables.set(network.id, table);
    return table;
  }

  #overlayEndpoints(networkId: string): NamedEndpoint[] {
    const { records, ingressId } = this.#components;
    const ingress = ingressId();
    const ingressRows: EndpointRow[] = ingress ? records.endpoints(ingress) : [];
    return namedEndpoints(records.endpoints(networkId), ingressRows);
  }

  #local(networkId: string): NamedEndpoint[] {
    return [...this.#components.sandboxes()].flatMap((sandbox) => {
      const endpoint = sandbox.endpoints.get(networkId);
      if (!endpoint?.address) return [];
      return [{ ip: ipOf(endpoint.address), names: sandbox.dnsNames(endpoint.config) }];
    });
  }
}
