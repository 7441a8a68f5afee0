import type { Task } from '../../../proto/gen/swarm/objects.ts';
import { TaskStatus } from '../../../proto/gen/swarm/types.ts';
import type { TaskDb } from '../../../worker/agent/task-db.ts';

/** Survives the agent, as the disk does. */
export class MemoryTaskDb implements TaskDb {
  readonly tasks = new Map<string, Task>();
  readonly statuses = new Map<string, TaskStatus>();

  async load() {
    return [...this.tasks.values()].map((task) => ({
      task,
      status: this.statuses.get(task.id) ?? task.status ?? TaskStatus.fromPartial({}),
    }));
  }

  async putTask(task: Task): Promise<void> {
    this.tasks.set(task.id, task);
  }

  async putStatus(taskId: string, status: TaskStatus): Promise<void> {
    this.statuses.set(taskId, status);
  }

  async remove(taskId: string): Promise<void> {
    this.tasks.delete(taskId);
    this.statuses.delete(taskId);
  }

  async close(): Promise<void> {}
}
