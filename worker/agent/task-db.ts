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

/**
 * Orders and progress have records of their own, since they change at different times. Secrets and
 * configs are not kept: they are in the container already, or come again with the next session.
 */
export class LevelTaskDb implements TaskDb {
  readonly #level: Level<string, Uint8Array>;

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
    await this.#level.put(TASK + task.id, Task.encode(task).finish());
  }

  async putStatus(taskId: string, status: TaskStatus): Promise<void> {
    await this.#level.put(STATUS + taskId, TaskStatus.encode(status).finish());
  }

  async remove(taskId: string): Promise<void> {
    await this.#level.batch([
      { type: 'del', key: TASK + taskId },
      { type: 'del', key: STATUS + taskId },
    ]);
  }

  async close(): Promise<void> {
    await this.#level.close();
  }
}

/** The first key after all that begin with `prefix`. */
function after(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}
