import type { AnyObject } from './kinds.ts';
import type { Overlay } from './overlay.ts';
import { type Tables, tableOf } from './table.ts';
import type { Kind, ObjectTypes, ReadTx, Selector } from './types.ts';

/** The committed state. */
export class CommittedView implements ReadTx {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  get<K extends Kind>(kind: K, id: string): ObjectTypes[K] | undefined {
    return tableOf(this.#tables, kind).get(id);
  }

  find<K extends Kind>(kind: K, by: Selector): readonly ObjectTypes[K][] {
    return [...tableOf(this.#tables, kind).find(by)];
  }

  all<K extends Kind>(kind: K): Iterable<ObjectTypes[K]> {
    return tableOf(this.#tables, kind).values();
  }

  count(kind: Kind): number {
    return this.#tables[kind].size;
  }
}

/** The committed state with everything proposed on top. */
export class ProposedView implements ReadTx {
  readonly #tables: Tables;
  readonly #overlay: Overlay;

  constructor(tables: Tables, overlay: Overlay) {
    this.#tables = tables;
    this.#overlay = overlay;
  }

  get<K extends Kind>(kind: K, id: string): ObjectTypes[K] | undefined {
    const entry = this.#overlay.get(kind, id);
    return entry
      ? (entry.object as ObjectTypes[K] | undefined)
      : tableOf(this.#tables, kind).get(id);
  }

  find<K extends Kind>(kind: K, by: Selector): readonly ObjectTypes[K][] {
    const committed = tableOf(this.#tables, kind).find(by);
    if (this.#overlay.isEmpty(kind)) return [...committed];
    return [...this.#unchanged(kind, committed), ...this.#overlay.table(kind).find(by)];
  }

  /** A copy: the callback may write while it goes through it. */
  all<K extends Kind>(kind: K): Iterable<ObjectTypes[K]> {
    const committed = tableOf(this.#tables, kind).values();
    if (this.#overlay.isEmpty(kind)) return [...committed];
    return [...this.#unchanged(kind, committed), ...this.#overlay.table(kind).values()];
  }

  count(kind: Kind): number {
    let count = this.#tables[kind].size;
    for (const [id, { object }] of this.#overlay.entries(kind)) {
      const exists = this.#tables[kind].get(id) !== undefined;
      if (object && !exists) count += 1;
      if (!object && exists) count -= 1;
    }
    return count;
  }

  *#unchanged<T extends AnyObject>(kind: Kind, objects: Iterable<T>): Iterable<T> {
    for (const object of objects) if (!this.#overlay.get(kind, object.id)) yield object;
  }
}
