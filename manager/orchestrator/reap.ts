import type { Cluster, Node, Service, Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import { hasEnded, isRunnable, restartOf, stateOf } from './facts.ts';

const DEFAULT_HISTORY_LIMIT = 5;

export interface SlotView {
  readonly service: Service | undefined;
  readonly cluster: Cluster | undefined;
  /** All tasks of one slot (or node of a global service). */
  readonly tasks: readonly Task[];
  readonly node: (id: string) => Node | undefined;
}

/**
 * The tasks of a slot that may be deleted: those that were removed and hold nothing any more, and
 * the oldest of those that ended, so that the slot keeps no more than its history.
 */
export function reapSlot({ service, cluster, tasks, node }: SlotView): Task[] {
  const removed = tasks.filter((task) => isRemoved(task) || (!service && hasEnded(task)));
  const limit = historyLimit(service, cluster);
  if (limit < 0) return removed;
  const kept = tasks.filter((task) => !removed.includes(task));
  const historic = kept.filter((task) => isHistoric(task, node)).sort(byLastWrite);
  return [...removed, ...historic.slice(0, Math.max(0, kept.length - limit))];
}

function isRemoved(task: Task): boolean {
  if (task.desiredState !== TaskState.REMOVE) return false;
  const state = stateOf(task);
  return state < TaskState.ASSIGNED || state >= TaskState.COMPLETE;
}

/** It ended, or it will never begin. */
function isHistoric(task: Task, node: SlotView['node']): boolean {
  if (isRunnable(task)) return false;
  if (hasEnded(task) || stateOf(task) < TaskState.ASSIGNED) return true;
  return task.nodeId !== '' && node(task.nodeId) === undefined;
}

/** With a bound on attempts the history must be long enough to count them. */
function historyLimit(service: Service | undefined, cluster: Cluster | undefined): number {
  const { maxAttempts } = restartOf(service?.spec?.task?.restart);
  const limit = cluster?.spec?.orchestration?.taskHistoryRetentionLimit ?? DEFAULT_HISTORY_LIMIT;
  return maxAttempts > 0 && limit >= 0 ? Math.max(limit, maxAttempts + 1) : limit;
}

/** By version: unlike clocks, the versions of different nodes' tasks compare. */
function byLastWrite(a: Task, b: Task): number {
  return (a.meta?.version?.index ?? 0) - (b.meta?.version?.index ?? 0);
}
