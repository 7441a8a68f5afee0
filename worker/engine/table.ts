import { SwarmError } from '../../common/errors.ts';
import type { ContainerEntry } from './container.ts';
import type { EngineDatabase } from './database.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerState } from './types.ts';

/** The containers of this node, by id and by name; every change is written through. */
export class ContainerTable {
  readonly #database: EngineDatabase;
  readonly #byId = new Map<string, ContainerEntry>();
  readonly #idByName = new Map<string, string>();

  constructor(components: { database: EngineDatabase }) {
    this.#database = components.database;
  }

  all(): ContainerEntry[] {
    return [...this.#byId.values()];
  }

  byId(id: string): ContainerEntry | undefined {
    return this.#byId.get(id);
  }

  hasName(name: string): boolean {
    return this.#idByName.has(name);
  }

  /** By id, name or unique id prefix; `ref` may have Docker's leading slash. */
  get(ref: string): ContainerEntry {
    const name = ref.replace(/^\//, '');
    const exact = this.#byId.get(name) ?? this.#byId.get(this.#idByName.get(name) ?? '');
    if (exact) return exact;
    const matches = name ? this.all().filter(({ id }) => id.startsWith(name)) : [];
    if (matches.length === 1) return matches[0] as ContainerEntry;
    if (matches.length > 1) {
      throw new SwarmError(
        'SWM_INVALID_ARGUMENT',
        `Multiple IDs found with provided prefix: ${name}`,
      );
    }
    throw new SwarmError('SWM_NOT_FOUND', `No such container: ${ref}`);
  }

  /** Takes a name before anything else is done for its container. Throws SWM_CONFLICT. */
  reserve(name: string, id: string): void {
    const holder = this.#idByName.get(name);
    if (holder !== undefined) {
      throw new SwarmError(
        'SWM_CONFLICT',
        `Conflict. The container name "/${name}" is already in use by container "${holder}". ` +
          'You have to remove (or rename) that container to be able to reuse that name.',
      );
    }
    this.#idByName.set(name, id);
  }

  release(name: string): void {
    this.#idByName.delete(name);
  }

  /** Its name is reserved. */
  async add(entry: ContainerEntry): Promise<void> {
    await this.#database.putContainer(entry.record, { sync: true });
    this.#byId.set(entry.id, entry);
  }

  /** For records that were read from the database. */
  restore(entry: ContainerEntry): void {
    this.#byId.set(entry.id, entry);
    this.#idByName.set(entry.record.name, entry.id);
  }

  async update(entry: ContainerEntry, change: Partial<ContainerRecord>): Promise<void> {
    entry.record = { ...entry.record, ...change };
    if (!entry.removed) await this.#database.putContainer(entry.record, { sync: false });
  }

  async updateState(entry: ContainerEntry, change: Partial<ContainerState>): Promise<void> {
    await this.update(entry, { state: { ...entry.record.state, ...change } });
  }

  async delete(entry: ContainerEntry): Promise<void> {
    entry.removed = true;
    await this.#database.deleteContainer(entry.id);
    this.#byId.delete(entry.id);
    this.#idByName.delete(entry.record.name);
  }
}
