import type { GossipRow, NetworkDigest, OwnerDigest } from '../../proto/gen/swarm/gossip.ts';
import { TOMBSTONE_MS } from './constants.ts';
import type { GossipChange, GossipTable, GossipTableRow } from './types.ts';

interface Row {
  readonly table: GossipTable;
  readonly key: string;
  readonly owner: string;
  readonly ltime: number;
  readonly value: Uint8Array;
  /** When a tombstone may be forgotten, milliseconds; 0 for a row that lives. */
  readonly expiresAt: number;
}

export interface Merged {
  readonly changes: ReadonlyMap<string, readonly GossipChange[]>;
  /** Rows of ours that others had wrong: to be sent out again. */
  readonly corrections: readonly GossipRow[];
}

/**
 * The replicated rows of the networks that this node has. Last writer wins by Lamport time; only
 * the owner writes a row; a deletion is a row too (a tombstone) until it is forgotten. Rows of
 * hidden owners are kept and exchanged, but do not show.
 *
 * Invariant: `clock` is at least the Lamport time of every row ever seen, so a local write always
 * wins over what it follows.
 */
export class Tables {
  private readonly selfId: string;
  private readonly networks = new Map<string, Map<string, Row>>();
  private readonly hidden = new Set<string>();
  private clock: number;

  /**
   * `startTime` is where the Lamport clock begins. Given the wall clock in milliseconds, what a
   * node writes after a restart wins over what it wrote before; where the wall clock went back,
   * `merge` puts it right.
   */
  constructor(selfId: string, startTime: number) {
    this.selfId = selfId;
    this.clock = startTime;
  }

  /** Advances the Lamport clock and returns the new time. */
  nextTime(): number {
    this.clock += 1;
    return this.clock;
  }

  witness(ltime: number): void {
    this.clock = Math.max(this.clock, ltime);
  }

  has(networkId: string): boolean {
    return this.networks.has(networkId);
  }

  joined(): readonly string[] {
    return [...this.networks.keys()].sort();
  }

  join(networkId: string): boolean {
    if (this.networks.has(networkId)) return false;
    this.networks.set(networkId, new Map());
    return true;
  }

  /** Forgets the network. The returned tombstones of our own rows are for the others. */
  leave(networkId: string, nowMs: number): GossipRow[] {
    const rows = [...(this.networks.get(networkId)?.values() ?? [])];
    const own = rows.filter((row) => row.owner === this.selfId && row.expiresAt === 0);
    const tombstones = own.map((row) => toWire(networkId, this.tombstone(row, nowMs), nowMs));
    this.networks.delete(networkId);
    return tombstones;
  }

  put(networkId: string, table: GossipTable, key: string, value: Uint8Array, nowMs: number) {
    const row: Row = {
      table,
      key,
      owner: this.selfId,
      ltime: this.nextTime(),
      value,
      expiresAt: 0,
    };
    this.rowsOf(networkId).set(rowId(row), row);
    return toWire(networkId, row, nowMs);
  }

  remove(networkId: string, table: GossipTable, key: string, nowMs: number): GossipRow | undefined {
    const rows = this.rowsOf(networkId);
    const row = rows.get(rowId({ table, key }));
    if (!row || row.owner !== this.selfId || row.expiresAt !== 0) return undefined;
    const tombstone = this.tombstone(row, nowMs);
    rows.set(rowId(row), tombstone);
    return toWire(networkId, tombstone, nowMs);
  }

  rows(networkId: string, table: GossipTable): GossipTableRow[] {
    const rows = this.networks.get(networkId)?.values() ?? [];
    return [...rows].filter((row) => row.table === table && this.shows(row));
  }

  merge(incoming: readonly GossipRow[], nowMs: number): Merged {
    const changes = new Map<string, GossipChange[]>();
    const corrections: GossipRow[] = [];
    for (const wire of incoming) {
      this.witness(wire.ltime);
      const rows = this.networks.get(wire.networkId);
      if (!rows) continue;
      const row = fromWire(wire, nowMs);
      if (row.owner === this.selfId) {
        const correction = this.correct(wire.networkId, rows, row, nowMs);
        if (correction) corrections.push(correction);
        continue;
      }
      const change = this.accept(rows, row);
      if (change) addTo(changes, wire.networkId, change);
    }
    return { changes, corrections };
  }

  /** Hides or shows all rows of a node. */
  setHidden(owner: string, hidden: boolean): ReadonlyMap<string, readonly GossipChange[]> {
    const changes = new Map<string, GossipChange[]>();
    if (this.hidden.has(owner) === hidden) return changes;
    if (hidden) this.hidden.add(owner);
    else this.hidden.delete(owner);
    for (const [networkId, rows] of this.networks) {
      for (const row of rows.values()) {
        if (row.owner !== owner || row.expiresAt !== 0) continue;
        addTo(changes, networkId, changeOf(row, hidden ? undefined : row.value));
      }
    }
    return changes;
  }

  /** Drops what `owner` wrote up to `ltime` on networks that it does not have any more. */
  dropAbsent(owner: string, attended: readonly string[], ltime: number) {
    const changes = new Map<string, GossipChange[]>();
    for (const [networkId, rows] of this.networks) {
      if (attended.includes(networkId)) continue;
      for (const row of [...rows.values()]) {
        if (row.owner !== owner || row.ltime > ltime) continue;
        rows.delete(rowId(row));
        if (this.shows(row)) addTo(changes, networkId, changeOf(row, undefined));
      }
    }
    return changes;
  }

  digest(): NetworkDigest[] {
    return this.joined().map((networkId) => ({
      networkId,
      owners: ownerDigests(this.rowsOf(networkId).values()),
    }));
  }

  /** The rows that somebody with this digest lacks, or has otherwise than we. */
  missingIn(digest: readonly NetworkDigest[], nowMs: number): GossipRow[] {
    return digest.flatMap((theirs) => {
      const rows = this.networks.get(theirs.networkId);
      if (!rows) return [];
      const known = new Map(theirs.owners.map((owner) => [owner.owner, owner]));
      const differing = new Set(
        ownerDigests(rows.values())
          .filter((ours) => {
            const other = known.get(ours.owner);
            return !other || other.hash !== ours.hash || other.rows !== ours.rows;
          })
          .map((ours) => ours.owner),
      );
      return [...rows.values()]
        .filter((row) => differing.has(row.owner))
        .map((row) => toWire(theirs.networkId, row, nowMs));
    });
  }

  /** Forgets tombstones whose time is over. */
  reap(nowMs: number): void {
    for (const rows of this.networks.values()) {
      for (const [id, row] of rows) {
        if (row.expiresAt !== 0 && row.expiresAt <= nowMs) rows.delete(id);
      }
    }
  }

  /** Forgets nodes that are no members any more. */
  forgetOwners(keep: (owner: string) => boolean): ReadonlyMap<string, readonly GossipChange[]> {
    const owners = new Set<string>();
    for (const rows of this.networks.values())
      for (const row of rows.values()) owners.add(row.owner);
    const changes = new Map<string, GossipChange[]>();
    for (const owner of owners) {
      if (owner === this.selfId || keep(owner)) continue;
      for (const [networkId, list] of this.dropAbsent(owner, [], Number.POSITIVE_INFINITY)) {
        for (const change of list) addTo(changes, networkId, change);
      }
      this.hidden.delete(owner);
    }
    return changes;
  }

  private rowsOf(networkId: string): Map<string, Row> {
    const rows = this.networks.get(networkId);
    if (!rows) throw new Error(`network ${networkId} has not been joined`);
    return rows;
  }

  private shows(row: Row): boolean {
    return row.expiresAt === 0 && !this.hidden.has(row.owner);
  }

  private tombstone(row: Row, nowMs: number): Row {
    const ltime = this.nextTime();
    return { ...row, ltime, value: new Uint8Array(), expiresAt: nowMs + TOMBSTONE_MS };
  }

  private accept(rows: Map<string, Row>, row: Row): GossipChange | undefined {
    const stored = rows.get(rowId(row));
    if (stored && !isNewer(row, stored)) return undefined;
    rows.set(rowId(row), row);
    const showed = stored !== undefined && this.shows(stored);
    if (this.shows(row)) return changeOf(row, row.value);
    return showed ? changeOf(stored, undefined) : undefined;
  }

  /** What others hold in our name from before a restart yields to what we say now. */
  private correct(networkId: string, rows: Map<string, Row>, theirs: Row, nowMs: number) {
    const ours = rows.get(rowId(theirs));
    if (ours && !isNewer(theirs, ours)) return undefined;
    if (!ours && theirs.expiresAt !== 0) return undefined;
    const corrected =
      ours && ours.expiresAt === 0
        ? { ...ours, ltime: this.nextTime() }
        : this.tombstone(theirs, nowMs);
    rows.set(rowId(theirs), corrected);
    return toWire(networkId, corrected, nowMs);
  }
}

function rowId(row: Pick<Row, 'table' | 'key'>): string {
  return `${row.table}/${row.key}`;
}

function isNewer(row: Row, than: Row): boolean {
  return row.ltime > than.ltime || (row.ltime === than.ltime && row.owner > than.owner);
}

function changeOf(row: Row, value: Uint8Array | undefined): GossipChange {
  return { table: row.table, key: row.key, owner: row.owner, value };
}

function addTo<T>(map: Map<string, T[]>, key: string, item: T): void {
  const list = map.get(key);
  if (list) list.push(item);
  else map.set(key, [item]);
}

function toWire(networkId: string, row: Row, nowMs: number): GossipRow {
  return {
    networkId,
    table: row.table,
    key: row.key,
    owner: row.owner,
    ltime: row.ltime,
    value: Buffer.from(row.value),
    deleting: row.expiresAt !== 0,
    residualMs: row.expiresAt === 0 ? 0 : Math.max(0, Math.round(row.expiresAt - nowMs)),
  };
}

function fromWire(wire: GossipRow, nowMs: number): Row {
  return {
    table: wire.table as GossipTable,
    key: wire.key,
    owner: wire.owner,
    ltime: wire.ltime,
    value: wire.value,
    expiresAt: wire.deleting ? nowMs + Math.min(wire.residualMs, TOMBSTONE_MS) : 0,
  };
}

function ownerDigests(rows: Iterable<Row>): OwnerDigest[] {
  const owners = new Map<string, { owner: string; rows: number; hash: number }>();
  for (const row of rows) {
    const digest = owners.get(row.owner) ?? { owner: row.owner, rows: 0, hash: 0 };
    owners.set(row.owner, {
      owner: row.owner,
      rows: digest.rows + 1,
      hash: (digest.hash ^ fnv1a(`${rowId(row)}@${row.ltime}`)) >>> 0,
    });
  }
  return [...owners.values()];
}

/** FNV-1a, 32 bits. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
