import type { LogSelector } from '../../proto/gen/swarm/logs.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { ReadTx } from '../store/types.ts';

export interface Selection {
  readonly nodeIds: ReadonlySet<string>;
  /** Asked for by name, and on no node yet. */
  readonly unscheduled: readonly string[];
}

/** The nodes that hold logs of what is selected. */
export function selectNodes(tx: ReadTx, selector: LogSelector, follow: boolean): Selection {
  const nodeIds = new Set(selector.nodeIds);
  const unscheduled: string[] = [];
  for (const id of selector.serviceIds) {
    for (const task of tx.find('task', { serviceId: id })) {
      if (task.nodeId && (follow || hasRun(task))) nodeIds.add(task.nodeId);
    }
  }
  for (const id of selector.taskIds) {
    const task = tx.get('task', id);
    if (task?.nodeId) nodeIds.add(task.nodeId);
    else unscheduled.push(id);
  }
  return { nodeIds, unscheduled };
}

export function selects(selector: LogSelector, task: Task): boolean {
  return (
    selector.taskIds.includes(task.id) ||
    selector.nodeIds.includes(task.nodeId) ||
    (task.serviceId !== '' && selector.serviceIds.includes(task.serviceId))
  );
}

/** What has not been started has nothing to say, and need not be waited for. */
function hasRun(task: Task): boolean {
  return (task.status?.state ?? TaskState.NEW) >= TaskState.RUNNING;
}
