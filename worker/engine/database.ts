import { Level } from 'level';
import { checksumOfRecord, decodeRecord, encodeRecord } from '../../common/checksum.ts';
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
 *
 * Beside the count, each write stores the sum (exclusive or) of the checksums of all records. LevelDB
 * passes over what is damaged in its log and goes on behind it; the sum tells that something is
 * missing, or older than it was.
 */
export class EngineDatabase {
  readonly #path: string;
  /** Made when it is opened: it would begin by itself, and the files are to be looked at before. */
  #level!: Level<string, Buffer>;
  readonly #mark: WriteMark;
  /** The checksum of each record that is stored, by key. */
  readonly #sums = new Map<string, number>();
  /** Writes count, so they are made one after the other. */
  readonly #writing = new Mutex();
  /** A write failed, e.g. for want of room: what LevelDB would append next could not be read again. */
  #spoiled = false;

  constructor(init: { path: string }) {
    this.#path = init.path;
    this.#mark = new WriteMark(`${init.path}.mark`);
  }

  /** Throws SWM_DAMAGED when something that was written is missing. */
  async open(): Promise<void> {
    try {
      await checkLevelFiles(this.#path);
      this.#level = new Level(this.#path, { valueEncoding: 'buffer' });
      await this.#level.open();
      const [count, sum] = split(await this.#level.get(COUNT_KEY));
      await this.#mark.open(count);
      await this.#checkSum(sum);
    } catch (error) {
      await this.#level?.close().catch(() => undefined);
      throw this.#openError(error);
    }
  }

  async close(): Promise<void> {
    await this.#level?.close();
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

  async #checkSum(stored: number): Promise<void> {
    this.#sums.clear();
    for await (const [key, record] of this.#level.iterator({ gt: COUNT_KEY })) {
      this.#sums.set(key, checksumOfRecord(record));
    }
    if (this.#sum() !== stored) throw new Error('records are missing, or older than they were');
  }

  #sum(): number {
    let sum = 0;
    for (const each of this.#sums.values()) sum ^= each;
    return sum >>> 0;
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
      const before = this.#sums.get(op.key);
      if (op.type === 'put') this.#sums.set(op.key, checksumOfRecord(op.value));
      else this.#sums.delete(op.key);
      const value = join(this.#mark.next(), this.#sum());
      await this.#level
        .batch([op, { type: 'put', key: COUNT_KEY, value }], durability)
        .catch((error) => {
          this.#spoiled = true;
          if (before === undefined) this.#sums.delete(op.key);
          else this.#sums.set(op.key, before);
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

const SUM_SIZE = 4;

/** What is stored under the key of the count: the sum, then what the mark has. */
function join(count: Buffer, sum: number): Buffer {
  const value = Buffer.alloc(SUM_SIZE + count.length);
  value.writeUInt32BE(sum);
  count.copy(value, SUM_SIZE);
  return value;
}

function split(value: Buffer | undefined): [count: Buffer | undefined, sum: number] {
  if (!value || value.length < SUM_SIZE) return [value, 0];
  return [value.subarray(SUM_SIZE), value.readUInt32BE()];
}
