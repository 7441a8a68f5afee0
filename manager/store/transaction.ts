import type { Meta } from '../../proto/gen/swarm/types.ts';
import { type Action, atVersion, encodeAction, encodeRemoval, encodeTransaction } from './codec.ts';
import { idTaken, nameTaken, notFound, outOfSequence } from './errors.ts';
import { type AnyObject, hasSameSpec, uniqueName } from './kinds.ts';
import type { Overlay, OverlayEntry } from './overlay.ts';
import type { Kind, ObjectTypes, ReadTx, Selector, WriteTx } from './types.ts';

const NOTHING = new Uint8Array();

/** The net effect of a transaction on one object. */
interface Change extends Action {
  readonly existed: boolean;
  readonly bytes: Uint8Array;
}

/** How to take one write back. */
interface Undo {
  readonly key: string;
  readonly change: Change | undefined;
  readonly kind: Kind;
  readonly id: string;
  readonly entry: OverlayEntry | undefined;
}

/**
 * One transaction: writes go straight into the overlay, so that the next one sees them, and can be
 * taken back until `seal`. Until then an object that it wrote carries the version it had before
 * (0 when new): only what is encoded in the entry may be copied from it into other objects.
 */
export class Transaction implements WriteTx {
  readonly #view: ReadTx;
  readonly #overlay: Overlay;
  readonly #now: Date;
  readonly #changes = new Map<string, Change>();
  readonly #undo: Undo[] = [];
  #byteLength = 0;

  /** `now`: milliseconds since the epoch, for the times in `meta`. */
  constructor(view: ReadTx, overlay: Overlay, now: number) {
    this.#view = view;
    this.#overlay = overlay;
    this.#now = new Date(now);
  }

  /** Number of objects that it wrote. */
  get size(): number {
    return this.#changes.size;
  }

  /** Of the encoded changes. */
  get byteLength(): number {
    return this.#byteLength;
  }

  get<K extends Kind>(kind: K, id: string): ObjectTypes[K] | undefined {
    return this.#view.get(kind, id);
  }

  find<K extends Kind>(kind: K, by: Selector): readonly ObjectTypes[K][] {
    return this.#view.find(kind, by);
  }

  all<K extends Kind>(kind: K): Iterable<ObjectTypes[K]> {
    return this.#view.all(kind);
  }

  count(kind: Kind): number {
    return this.#view.count(kind);
  }

  create<K extends Kind>(kind: K, object: ObjectTypes[K]): void {
    if (object.id === '') throw new TypeError(`a ${kind} was created without an id`);
    if (this.#view.get(kind, object.id)) throw idTaken(kind, object.id);
    this.#refuseTakenName(kind, object);
    this.#put(kind, object, { version: { index: 0 }, createdAt: this.#now, updatedAt: this.#now });
  }

  update<K extends Kind>(kind: K, object: ObjectTypes[K]): void {
    const current = this.#view.get(kind, object.id);
    if (!current) throw notFound(kind, object.id);
    const version = current.meta?.version;
    if (object.meta?.version?.index !== version?.index) throw outOfSequence();
    this.#refuseTakenName(kind, object);
    const specVersion = hasSameSpec(object, current) ? current.meta?.specVersion : undefined;
    this.#put(kind, object, { ...current.meta, specVersion, updatedAt: this.#now });
  }

  remove(kind: Kind, id: string): void {
    if (!this.#view.get(kind, id)) throw notFound(kind, id);
    this.#write({ kind, id, object: undefined, ...this.#removalOf(kind, id) });
  }

  /** For `rollback`: takes back what was written after this point. */
  mark(): number {
    return this.#undo.length;
  }

  rollback(mark = 0): void {
    while (this.#undo.length > mark) {
      const { key, change, kind, id, entry } = this.#undo.pop() as Undo;
      this.#byteLength += (change?.bytes.length ?? 0) - (this.#changes.get(key)?.bytes.length ?? 0);
      if (change) this.#changes.set(key, change);
      else this.#changes.delete(key);
      this.#overlay.set(kind, id, entry);
    }
  }

  /** Empty when it changes nothing. */
  encode(): Uint8Array {
    const actions = Array.from(this.#changes.values(), ({ bytes }) => bytes);
    return encodeTransaction(actions.filter(({ length }) => length > 0));
  }

  /**
   * Gives every written object its version. The objects are this transaction's own copies, and
   * nobody outside of its callback has seen them yet: from here on they never change.
   */
  seal(index: number): readonly Action[] {
    const version = { index };
    for (const { kind, object } of this.#changes.values()) {
      if (object) atVersion(kind, object, version);
    }
    return [...this.#changes.values()];
  }

  #refuseTakenName(kind: Kind, object: AnyObject): void {
    const name = uniqueName(kind, object);
    if (name === undefined) return;
    const taken = this.#view.find(kind, { name }).some(({ id }) => id !== object.id);
    if (taken) throw nameTaken(kind, name);
  }

  #put(kind: Kind, object: AnyObject, meta: Meta): void {
    const own: AnyObject = { ...object, meta };
    const existed = this.#existed(kind, object.id);
    const bytes = encodeAction(kind, own, !existed);
    this.#write({ kind, id: own.id, object: own, existed, bytes });
  }

  #removalOf(kind: Kind, id: string): { existed: boolean; bytes: Uint8Array } {
    return { existed: this.#existed(kind, id), bytes: encodeRemoval(kind, id) };
  }

  /** Whether the object was there before this transaction. */
  #existed(kind: Kind, id: string): boolean {
    const change = this.#changes.get(`${kind}/${id}`);
    return change ? change.existed : this.#view.get(kind, id) !== undefined;
  }

  #write(change: Change): void {
    const { kind, id, object, existed } = change;
    const key = `${kind}/${id}`;
    const entry = this.#overlay.set(kind, id, { object, writer: this });
    const previous = this.#changes.get(key);
    this.#undo.push({ key, change: previous, kind, id, entry });
    // What this transaction both created and removed does not travel, but stays in the overlay.
    const bytes = object || existed ? change.bytes : NOTHING;
    this.#changes.set(key, { ...change, bytes });
    this.#byteLength += bytes.length - (previous?.bytes.length ?? 0);
  }
}
