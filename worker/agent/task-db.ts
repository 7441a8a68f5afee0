import { Level } from 'level';
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
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

/**
 * Orders and progress have records of their own, since they change at different times. Secrets and
 * configs are not kept: they are in the container already, or come again with the next session.
 */
export class LevelTaskDb implements TaskDb {
  readonly #level: Level<string, Uint8Array>;
  /** A write failed, e.g. for want of room: what LevelDB would append next could not be read again. */
  #spoiled = false;
  /** Writes are made one after the other. */
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(level: Level<string, Uint8Array>) {
    this.#level = level;
  }

  static async open(path: string): Promise<LevelTaskDb> {
    const level = new Level<string, Uint8Array>(path, { valueEncoding: 'view' });
    await level.open();
    return new LevelTaskDb(level);
  }

  async load(): Promise<readonly TaskRecord[]> {
    const statuses = new Map<string, TaskStatus>();
    for await (const [key, value] of this.#level.iterator({ gte: STATUS, lt: after(STATUS) })) {
      statuses.set(key.slice(STATUS.length), TaskStatus.decode(value));
    }
    const records: TaskRecord[] = [];
    for await (const [, value] of this.#level.iterator({ gte: TASK, lt: after(TASK) })) {
      const task = Task.decode(value);
      const status = statuses.get(task.id) ?? task.status ?? TaskStatus.fromPartial({});
      records.push({ task, status });
    }
    return records;
  }

  async putTask(task: Task): Promise<void> {
    await this.#write([{ type: 'put', key: TASK + task.id, value: Task.encode(task).finish() }]);
  }

  async putStatus(taskId: string, status: TaskStatus): Promise<void> {
    await this.#write([
      { type: 'put', key: STATUS + taskId, value: TaskStatus.encode(status).finish() },
    ]);
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

/** The first key after all that begin with `prefix`. */
function after(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}
