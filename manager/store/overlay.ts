import { type AnyObject, kinds } from './kinds.ts';
import { newTables, type Table, type Tables, tableOf } from './table.ts';
import type { Kind, ObjectTypes } from './types.ts';

/** What is proposed for one object: its value, or none for a removal. */
export interface OverlayEntry {
  readonly object: AnyObject | undefined;
  /** The last transaction that wrote it; when that one is committed, the entry has done its duty. */
  readonly writer: object;
}

/**
 * What differs between the committed and the newest proposed state. It is indexed like the
 * committed state, so that a transaction's lookups do not depend on how much is in flight.
 */
export class Overlay {
  readonly #entries = new Map<Kind, Map<string, OverlayEntry>>(
    kinds.map((kind) => [kind, new Map<string, OverlayEntry>()]),
  );
  readonly #tables: Tables = newTables();

  isEmpty(kind: Kind): boolean {
    return this.entries(kind).size === 0;
  }

  get(kind: Kind, id: string): OverlayEntry | undefined {
    return this.entries(kind).get(id);
  }

  entries(kind: Kind): Map<string, OverlayEntry> {
    return this.#entries.get(kind) as Map<string, OverlayEntry>;
  }

  /** The proposed objects, without the removed ones. */
  table<K extends Kind>(kind: K): Table<K> {
    return tableOf(this.#tables, kind);
  }

  /** Sets an object's entry, or takes it away; returns the one before. */
  set(kind: Kind, id: string, entry: OverlayEntry | undefined): OverlayEntry | undefined {
    const entries = this.entries(kind);
    const previous = entries.get(id);
    if (entry) entries.set(id, entry);
    else entries.delete(id);
    if (entry?.object) this.table(kind).set(entry.object as ObjectTypes[typeof kind]);
    else if (previous?.object) this.table(kind).delete(id);
    return previous;
  }

  /** Drops the entry of an object that `writer` wrote last. */
  release(kind: Kind, id: string, writer: object): void {
    if (this.get(kind, id)?.writer === writer) this.set(kind, id, undefined);
  }

  clear(): void {
    for (const kind of kinds) {
      this.entries(kind).clear();
      this.#tables[kind].clear();
    }
  }
}
