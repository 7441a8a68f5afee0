import { EndpointRecord, PeerRecord } from '../proto/gen/swarm/gossip.ts';
import type { GossipApi } from './gossip/types.ts';
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

/** Gossip's tables as records. A value is decoded once: rows keep their byte arrays. */
export class Records {
  readonly #gossip: Pick<GossipApi, 'rows'>;
  readonly #endpoints = new WeakMap<Uint8Array, EndpointRecord>();
  readonly #peers = new WeakMap<Uint8Array, PeerRecord>();

  constructor(gossip: Pick<GossipApi, 'rows'>) {
    this.#gossip = gossip;
  }

  endpoints(networkId: string): EndpointRow[] {
    return this.#gossip.rows(networkId, 'endpoints').map(({ key, owner, ltime, value }) => ({
      key,
      owner,
      ltime,
      record: decodeOnce(this.#endpoints, value, EndpointRecord),
    }));
  }

  peers(networkId: string): (PeerRow & { key: string })[] {
    return this.#gossip.rows(networkId, 'peers').map(({ key, owner, ltime, value }) => {
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
