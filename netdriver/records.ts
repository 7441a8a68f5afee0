import { EndpointRecord, PeerRecord } from '../proto/gen/swarm/gossip.ts';
import type { GossipApi, GossipTable, GossipTableRow } from './gossip/types.ts';
import type { PeerRow } from './overlay/peers.ts';

/** A row of the table `endpoints`, decoded. */
export interface EndpointRow {
  /** Endpoint id. */
  readonly key: string;
  /** Node id. */
  readonly owner: string;
  readonly ltime: number;
  readonly record: EndpointRecord;
}

type Source = Pick<GossipApi, 'rows' | 'members'>;

/** Gossip's tables as records. A value is decoded once: rows keep their byte arrays. */
export class Records {
  readonly #gossip: Source;
  readonly #endpoints = new WeakMap<Uint8Array, EndpointRecord>();
  readonly #peers = new WeakMap<Uint8Array, PeerRecord>();
  readonly #lastSeen = new Map<string, ReadonlyMap<string, GossipTableRow>>();

  constructor(gossip: Source) {
    this.#gossip = gossip;
  }

  /** Of living nodes: where new connections may go. */
  endpoints(networkId: string): EndpointRow[] {
    return this.#gossip.rows(networkId, 'endpoints').map((row) => this.#endpointRow(row));
  }

  /** With those of silent nodes: who may still be talking. */
  lingeringEndpoints(networkId: string): EndpointRow[] {
    return this.#lingering(networkId, 'endpoints').map((row) => this.#endpointRow(row));
  }

  /**
   * With those of silent nodes: a node whose daemon is away, for an upgrade say, goes on carrying
   * the traffic of its containers. An address that was given to another since is where the later
   * row says.
   */
  peers(networkId: string): (PeerRow & { key: string })[] {
    return this.#lingering(networkId, 'peers').map(({ key, owner, ltime, value }) => {
      const record = decodeOnce(this.#peers, value, PeerRecord);
      return {
        key,
        owner,
        ltime,
        ip: record.endpointIp,
        mac: record.endpointMac,
        vtep: record.tunnelEndpointIp,
      };
    });
  }

  /** The network is no longer here. */
  forget(networkId: string): void {
    for (const table of ['endpoints', 'peers']) this.#lastSeen.delete(`${networkId} ${table}`);
  }

  /** The rows there are, and those seen last that only hide because their owner is silent. */
  #lingering(networkId: string, table: GossipTable): GossipTableRow[] {
    const name = `${networkId} ${table}`;
    const seen = new Map(this.#gossip.rows(networkId, table).map((row) => [row.key, row]));
    const members = this.#gossip.members();
    const silent = new Set(members.flatMap(({ nodeId, alive }) => (alive ? [] : [nodeId])));
    for (const [key, row] of this.#lastSeen.get(name) ?? []) {
      if (!seen.has(key) && silent.has(row.owner)) seen.set(key, row);
    }
    this.#lastSeen.set(name, seen);
    return [...seen.values()];
  }

  #endpointRow({ key, owner, ltime, value }: GossipTableRow): EndpointRow {
    return { key, owner, ltime, record: decodeOnce(this.#endpoints, value, EndpointRecord) };
  }
}

function decodeOnce<T>(
  cache: WeakMap<Uint8Array, T>,
  value: Uint8Array,
  codec: { decode(value: Uint8Array): T },
): T {
  const known = cache.get(value);
  if (known) return known;
  const record = codec.decode(value);
  cache.set(value, record);
  return record;
}
