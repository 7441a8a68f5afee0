import { Level } from 'level';
import { decodeRecord, encodeRecord } from '../../common/checksum.ts';
import { damagedFile, isDiskTrouble } from '../../common/damage.ts';
import { errorMessage, SwarmError } from '../../common/errors.ts';
import { checkLevelFiles } from '../../common/level-files.ts';
import { WriteMark } from '../../common/write-mark.ts';
import { Mutex } from './mutex.ts';
import type { ContainerRecord } from './record.ts';
import type { VolumeInfo } from './types.ts';

const CONTAINER_PREFIX = 'container/';
const VOLUME_PREFIX = 'volume/';
const END = '\xff';
const COUNT_KEY = '#written';

/** Whether a write is on disk when it is done, or may be lost in a power failure. */
interface Durability {
  readonly sync: boolean;
}

/**
 * The engine's memory across restarts: containers and volumes as JSON, each with a checksum.
 * `<path>.mark` is its `WriteMark`: a container without a record would be taken for one that was only
 * half made, and be removed, so that nothing is done with a database that lost some.
 */
export class EngineDatabase {
  readonly #path: string;
  readonly #level: Level<string, Buffer>;
  readonly #mark: WriteMark;
  /** Writes count, so they are made one after the other. */
  readonly #writing = new Mutex();
  /** A write failed, e.g. for want of room: what LevelDB would append next could not be read again. */
  #spoiled = false;

  constructor(init: { path: string }) {
    this.#path = init.path;
    this.#level = new Level(init.path, { valueEncoding: 'buffer' });
    this.#mark = new WriteMark(`${init.path}.mark`);
  }

  /** Throws SWM_DAMAGED when something that was written is missing. */
  async open(): Promise<void> {
    try {
      await checkLevelFiles(this.#path);
      await this.#level.open();
      await this.#mark.open(await this.#level.get(COUNT_KEY));
    } catch (error) {
      await this.#level.close().catch(() => undefined);
      throw this.#openError(error);
    }
  }

  async close(): Promise<void> {
    await this.#level.close();
    await this.#mark.close();
  }

  containers(): Promise<ContainerRecord[]> {
    return this.#values<ContainerRecord>(CONTAINER_PREFIX);
  }

  /** A new record is to be synced; what it changes to is less than what is lost with the power. */
  putContainer(record: ContainerRecord, durability: Durability): Promise<void> {
    return this.#put(CONTAINER_PREFIX + record.id, record, durability);
  }

  deleteContainer(id: string): Promise<void> {
    return this.#delete(CONTAINER_PREFIX + id);
  }

  volumes(): Promise<VolumeInfo[]> {
    return this.#values<VolumeInfo>(VOLUME_PREFIX);
  }

  putVolume(volume: VolumeInfo): Promise<void> {
    return this.#put(VOLUME_PREFIX + volume.name, volume, { sync: true });
  }

  deleteVolume(name: string): Promise<void> {
    return this.#delete(VOLUME_PREFIX + name);
  }

  async #values<T>(prefix: string): Promise<T[]> {
    const range = { gte: prefix, lt: prefix + END };
    const entries = await this.#level
      .iterator(range)
      .all()
      .catch((error) => {
        throw this.#openError(error);
      });
    return entries.map(([key, stored]) => {
      const data = decodeRecord(key, stored);
      if (!data) throw this.#damaged(`the record "${key}" fails its checksum`);
      return JSON.parse(data.toString()) as T;
    });
  }

  #put(key: string, value: object, durability: Durability): Promise<void> {
    const data = encodeRecord(key, Buffer.from(JSON.stringify(value)));
    return this.#write({ type: 'put', key, value: data }, durability);
  }

  #delete(key: string): Promise<void> {
    return this.#write({ type: 'del', key }, { sync: true });
  }

  #write(
    op: { type: 'put'; key: string; value: Buffer } | { type: 'del'; key: string },
    durability: Durability,
  ): Promise<void> {
    return this.#writing.run(async () => {
      if (this.#spoiled) await this.#reopen();
      const count = { type: 'put', key: COUNT_KEY, value: this.#mark.next() } as const;
      await this.#level.batch([op, count], durability).catch((error) => {
        this.#spoiled = true;
        throw error;
      });
      this.#mark.wrote(durability);
    });
  }

  /** LevelDB begins another file then, with all that can be read of the one before. */
  async #reopen(): Promise<void> {
    await this.#level.close();
    await this.#level.open();
    this.#spoiled = false;
  }

  /** What LevelDB says of its files. */
  #openError(error: unknown): SwarmError {
    const cause = (error as { cause?: { code?: string } }).cause;
    if (cause?.code === 'LEVEL_LOCKED') {
      return new SwarmError('SWM_CONFLICT', `Another process has ${this.#path} open.`, {
        hint: 'Stop the other swarmd that uses this state directory.',
        cause: error,
      });
    }
    const message = errorMessage(cause ?? error);
    if (!isDiskTrouble(message)) return this.#damaged(message, error);
    return new SwarmError('SWM_UNAVAILABLE', `${this.#path} cannot be opened: ${message}`, {
      hint: 'Make room on its disk, or have it mended, and start swarmd again.',
      cause: error,
    });
  }

  #damaged(what: string, cause?: unknown): SwarmError {
    return damagedFile(this.#path, what, {
      hint:
        'Restore this directory. To go on without it, delete it and its .mark: the containers of this ' +
        'node are then removed, those of services are made anew, and the data of volumes stay.',
      cause,
    });
  }
}
