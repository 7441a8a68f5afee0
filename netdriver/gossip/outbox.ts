import {
  ClusterGossip,
  type GossipRow,
  GossipRows,
  type MemberState,
} from '../../proto/gen/swarm/gossip.ts';
import { CLUSTER_TOPIC, MESSAGE_BYTES_MAX, networkTopic } from './constants.ts';

/** What a row costs on the wire besides its value, generously. */
const ROW_OVERHEAD_BYTES = 160;

/** Rows and claims that go out with the next tick: one message per network, in pieces if need be. */
export class Outbox {
  private rows = new Map<string, GossipRow[]>();
  private claims: MemberState[] = [];

  addRows(rows: readonly GossipRow[]): void {
    for (const row of rows) {
      const list = this.rows.get(row.networkId);
      if (list) list.push(row);
      else this.rows.set(row.networkId, [row]);
    }
  }

  addClaim(claim: MemberState): void {
    this.claims.push(claim);
  }

  flush(publish: (topic: string, data: Uint8Array) => void): void {
    const { claims: members, rows } = this;
    this.claims = [];
    this.rows = new Map();
    if (members.length > 0) publish(CLUSTER_TOPIC, ClusterGossip.encode({ members }).finish());
    for (const [networkId, list] of rows) {
      for (const piece of inPieces(newestOnly(list))) {
        publish(networkTopic(networkId), GossipRows.encode({ rows: piece }).finish());
      }
    }
  }
}

/** Of several writes to one row within a tick only the last is worth sending. */
function newestOnly(rows: readonly GossipRow[]): GossipRow[] {
  return [...new Map(rows.map((row) => [`${row.table}/${row.key}`, row])).values()];
}

function* inPieces(rows: readonly GossipRow[]): Generator<GossipRow[]> {
  let piece: GossipRow[] = [];
  let size = 0;
  for (const row of rows) {
    const bytes = row.value.length + ROW_OVERHEAD_BYTES;
    if (piece.length > 0 && size + bytes > MESSAGE_BYTES_MAX) {
      yield piece;
      piece = [];
      size = 0;
    }
    piece.push(row);
    size += bytes;
  }
  if (piece.length > 0) yield piece;
}
