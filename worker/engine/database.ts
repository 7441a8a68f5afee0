import { Level } from 'level';
import type { ContainerRecord } from './record.ts';
import type { VolumeInfo } from './types.ts';

const CONTAINER_PREFIX = 'container/';
const VOLUME_PREFIX = 'volume/';
const END = '\xff';

/** The engine's memory across restarts: containers and volumes as JSON. */
export class EngineDatabase {
  readonly #level: Level<string, unknown>;

  constructor(init: { path: string }) {
    this.#level = new Level(init.path, { valueEncoding: 'json' });
  }

  open(): Promise<void> {
    return this.#level.open();
  }

  close(): Promise<void> {
    return this.#level.close();
  }

  containers(): Promise<ContainerRecord[]> {
    return this.#values<ContainerRecord>(CONTAINER_PREFIX);
  }

  putContainer(record: ContainerRecord): Promise<void> {
    return this.#level.put(CONTAINER_PREFIX + record.id, record);
  }

  deleteContainer(id: string): Promise<void> {
    return this.#level.del(CONTAINER_PREFIX + id);
  }

  volumes(): Promise<VolumeInfo[]> {
    return this.#values<VolumeInfo>(VOLUME_PREFIX);
  }

  putVolume(volume: VolumeInfo): Promise<void> {
    return this.#level.put(VOLUME_PREFIX + volume.name, volume);
  }

  deleteVolume(name: string): Promise<void> {
    return this.#level.del(VOLUME_PREFIX + name);
  }

  async #values<T>(prefix: string): Promise<T[]> {
    return (await this.#level.values({ gte: prefix, lt: prefix + END }).all()) as T[];
  }
}
