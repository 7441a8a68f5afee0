import { keysOf, lookupOf } from './index-keys.ts';
import type { AnyObject } from './kinds.ts';
import type { Kind, ObjectTypes, Selector } from './types.ts';

/** The ids under one index key: most keys have one, which then needs no set of its own. */
type Bucket = string | Set<string>;

/** The objects of one kind and their index. Lookups cost what they find, not what is stored. */
export class Table<K extends Kind> {
  readonly #kind: K;
  readonly #objects = new Map<string, ObjectTypes[K]>();
  readonly #index = new Map<string, Bucket>();

  constructor(kind: K) {
    this.#kind = kind;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(id: string): ObjectTypes[K] | undefined {
    return this.#objects.get(id);
  }

  values(): IterableIterator<ObjectTypes[K]> {
    return this.#objects.values();
  }

  set(object: ObjectTypes[K]): void {
    const old = this.#objects.get(object.id);
    this.#objects.set(object.id, object);
    this.#reindex(object.id, old, object);
  }

  delete(id: string): void {
    const old = this.#objects.get(id);
    if (!old) return;
    this.#objects.delete(id);
    this.#reindex(id, old, undefined);
  }

  clear(): void {
    this.#objects.clear();
    this.#index.clear();
  }

  *find(by: Selector): Iterable<ObjectTypes[K]> {
    const { key, accept } = lookupOf(this.#kind, by);
    const candidates = key === undefined ? this.#objects.values() : this.#under(key);
    for (const object of candidates) if (!accept || accept(object)) yield object;
  }

  *#under(key: string): Iterable<ObjectTypes[K]> {
    const bucket = this.#index.get(key);
    if (bucket === undefined) return;
    for (const id of typeof bucket === 'string' ? [bucket] : bucket) {
      yield this.#objects.get(id) as ObjectTypes[K];
    }
  }

  #reindex(id: string, old: AnyObject | undefined, next: AnyObject | undefined): void {
    const before = old ? keysOf(this.#kind, old) : [];
    const after = next ? keysOf(this.#kind, next) : [];
    if (before.length === after.length && before.every((key, i) => key === after[i])) return;
    for (const key of before) if (!after.includes(key)) this.#unlist(key, id);
    for (const key of after) if (!before.includes(key)) this.#list(key, id);
  }

  #list(key: string, id: string): void {
    const bucket = this.#index.get(key);
    if (bucket === undefined) this.#index.set(key, id);
    else if (typeof bucket === 'string') this.#index.set(key, new Set([bucket, id]));
    else bucket.add(id);
  }

  #unlist(key: string, id: string): void {
    const bucket = this.#index.get(key);
    if (bucket === undefined || typeof bucket === 'string') this.#index.delete(key);
    else if (bucket.delete(id) && bucket.size === 0) this.#index.delete(key);
  }
}

export type Tables = { readonly [K in Kind]: Table<K> };

export function newTables(): Tables {
  return {
    cluster: new Table('cluster'),
    node: new Table('node'),
    network: new Table('network'),
    service: new Table('service'),
    task: new Table('task'),
    secret: new Table('secret'),
    config: new Table('config'),
    volume: new Table('volume'),
    extension: new Table('extension'),
    resource: new Table('resource'),
  };
}

/** `tables[kind]` for a kind that is only known at run time. */
export function tableOf<K extends Kind>(tables: Tables, kind: K): Table<K> {
  return tables[kind] as unknown as Table<K>;
}
