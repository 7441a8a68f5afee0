import { durationMs } from '../../common/duration.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import {
  createdAt,
  endedByItself,
  goalOf,
  isDown,
  isRunnable,
  mayBeRunning,
  restartOf,
  slotKey,
} from './facts.ts';
import type { Plan } from './plan.ts';

/**
 * When tasks in desired state READY may start, by task id, milliseconds since the epoch. In memory
 * only: a new leader derives it from the task before.
 */
export type StartTimes = Map<string, number>;

/** An old task that does not stop holds up its successor this long, and not longer. */
const OLD_TASK_PATIENCE_MS = 60_000;
const GRACE_DEFAULT_MS = 10_000;

/** Lets the tasks start whose delay is over and whose predecessors have stopped. */
export function startTasks(plan: Plan, starts: StartTimes): void {
  const { now } = plan.view;
  for (const [key] of plan.slots) {
    for (const task of plan.runnable(key)) {
      if (task.desiredState !== TaskState.READY) continue;
      const due = startTime(plan, starts, task);
      if (due > now) plan.wake(due);
      else if (predecessorsStopped(plan, task)) {
        plan.desire(task, goalOf(plan.service));
        starts.delete(task.id);
      }
    }
  }
}

/** Without a memory of it: the restart delay, unless the task before was stopped on purpose. */
export function startTime(plan: Plan, starts: StartTimes, task: Task): number {
  const known = starts.get(task.id);
  if (known !== undefined) return known;
  const slot = plan.slots.get(slotKey(plan.service, task)) ?? [];
  const before = slot[slot.findIndex(({ id }) => id === task.id) - 1];
  const delayed = before === undefined || endedByItself(before);
  const delayMs = delayed ? restartOf(task.spec?.restart).delayMs : 0;
  return createdAt(task, plan.view.now) + delayMs;
}

/** True when the container of `old` may still run on a node that can stop it. */
export function mustWait(plan: Plan, old: Task): boolean {
  return mayBeRunning(old) && !isDown(plan.nodeOf(old));
}

function predecessorsStopped(plan: Plan, task: Task): boolean {
  const slot = plan.slots.get(slotKey(plan.service, task)) ?? [];
  const running = slot.filter(
    (other) => other.id !== task.id && !isRunnable(other) && mustWait(plan, other),
  );
  if (running.length === 0) return true;
  const patience = Math.max(...running.map(patienceMs));
  const until = createdAt(task, plan.view.now) + patience;
  if (until > plan.view.now) plan.wake(until);
  return until <= plan.view.now;
}

function patienceMs(task: Task): number {
  const runtime = task.spec?.runtime;
  if (runtime?.$case !== 'container') return OLD_TASK_PATIENCE_MS;
  const grace = durationMs(runtime.container.stopGracePeriod, GRACE_DEFAULT_MS);
  return Math.max(OLD_TASK_PATIENCE_MS, grace + GRACE_DEFAULT_MS);
}
