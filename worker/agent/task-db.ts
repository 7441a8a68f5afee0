import { rename, rm } from 'node:fs/promises';
import { Level } from 'level';
import { decodeRecord, encodeRecord } from '../../common/checksum.ts';
import { isDiskTrouble } from '../../common/damage.ts';
import { errorMessage } from '../../common/errors.ts';
import { checkLevelFiles } from '../../common/level-files.ts';
import type { Logger } from '../../common/logger.ts';
import { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskStatus } from '../../proto/gen/swarm/types.ts';

export interface TaskRecord {
  readonly task: Task;
  readonly status: TaskStatus;
}

/** The tasks of this node and how far they are, across restarts of the daemon. */
export interface TaskDb {
  load(): Promise<readonly TaskRecord[]>;
  putTask(task: Task): Promise<void>;
  putStatus(taskId: string, status: TaskStatus): Promise<void>;
  remove(taskId: string): Promise<void>;
  close(): Promise<void>;
}

const TASK = 'task/';
const STATUS = 'status/';

type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: string };

/**
 * Orders and progress have records of their own, since they change at different times. Secrets and
 * configs are not kept: they are in the container already, or come again with the next session.
 *
 * The managers have all of it too, so what is damaged is left out: with the next session it comes
 * again, and its container is found.
 */
export class LevelTaskDb implements TaskDb {
  readonly #level: Level<string, Buffer>;
  readonly #logger: Logger;
  /** A write failed, e.g. for want of room: what LevelDB would append next could not be read again. */
  #spoiled = false;
  /** Writes are made one after the other. */
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(level: Level<string, Buffer>, logger: Logger) {
    this.#level = level;
    this.#logger = logger;
  }

  /** One that cannot be opened is put aside, as `<path>.damaged`, and begun anew. */
  static async open(path: string, { logger }: { readonly logger: Logger }): Promise<LevelTaskDb> {
    try {
      return new LevelTaskDb(await openLevel(path), logger);
    } catch (error) {
      const cause = (error as { cause?: { code?: string } }).cause ?? error;
      if ((cause as { code?: string }).code === 'LEVEL_LOCKED') throw error;
      if (isDiskTrouble(errorMessage(cause))) throw error;
      logger.warn(
        { path, err: errorMessage(cause) },
        'the tasks of this node are damaged, put aside',
      );
    }
    await rm(`${path}.damaged`, { recursive: true, force: true });
    await rename(path, `${path}.damaged`);
    return new LevelTaskDb(await openLevel(path), logger);
  }

  async load(): Promise<readonly TaskRecord[]> {
    const damaged = new Set<string>();
    const statuses = new Map<string, TaskStatus>();
    for await (const [id, data] of this.#records(STATUS)) {
      if (data) statuses.set(id, TaskStatus.decode(data));
      else damaged.add(id);
    }
    const records: TaskRecord[] = [];
    for await (const [id, data] of this.#records(TASK)) {
      // Without its status it would begin again: the managers know how far it was.
      if (!data || damaged.has(id)) {
        this.#logger.warn({ id }, 'the record of a task is damaged: the managers are asked for it');
        continue;
      }
      const task = Task.decode(data);
      const status = statuses.get(id) ?? task.status ?? TaskStatus.fromPartial({});
      records.push({ task, status });
    }
    return records;
  }

  async putTask(task: Task): Promise<void> {
    await this.#put(TASK + task.id, Task.encode(task).finish());
  }

  async putStatus(taskId: string, status: TaskStatus): Promise<void> {
    await this.#put(STATUS + taskId, TaskStatus.encode(status).finish());
  }

  async remove(taskId: string): Promise<void> {
    await this.#write([
      { type: 'del', key: TASK + taskId },
      { type: 'del', key: STATUS + taskId },
    ]);
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#level.close();
  }

  async *#records(prefix: string): AsyncGenerator<readonly [id: string, data: Buffer | undefined]> {
    for await (const [key, value] of this.#level.iterator({ gte: prefix, lt: after(prefix) })) {
      yield [key.slice(prefix.length), decodeRecord(key, value)];
    }
  }

  #put(key: string, data: Uint8Array): Promise<void> {
    return this.#write([{ type: 'put', key, value: encodeRecord(key, data) }]);
  }

  #write(operations: Operation[]): Promise<void> {
    const writing = this.#writing.catch(() => undefined).then(() => this.#writeNow(operations));
    this.#writing = writing;
    return writing;
  }

  /** Opening it anew begins another file, with all that can be read of the one before. */
  async #writeNow(operations: Operation[]): Promise<void> {
    if (this.#spoiled) {
      await this.#level.close();
      await this.#level.open();
      this.#spoiled = false;
    }
    try {
      await this.#level.batch(operations);
    } catch (error) {
      this.#spoiled = true;
      throw error;
    }
  }
}

async function openLevel(path: string): Promise<Level<string, Buffer>> {
  await checkLevelFiles(path);
  const level = new Level<string, Buffer>(path, { valueEncoding: 'buffer' });
  await level.open();
  try {
    // Some damage shows only where it is read.
    await level.values().all();
  } catch (error) {
    await level.close();
    throw error;
  }
  return level;
}

/** The first key after all that begin with `prefix`. */
function after(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}
