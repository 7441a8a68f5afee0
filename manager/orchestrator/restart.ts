import type { Task } from '../../proto/gen/swarm/objects.ts';
import { RestartPolicy_RestartCondition as Condition } from '../../proto/gen/swarm/specs.ts';
import {
  UpdateConfig_UpdateOrder as Order,
  TaskState,
  UpdateStatus_UpdateState as UpdateState,
} from '../../proto/gen/swarm/types.ts';
import { isDirty } from './dirty.ts';
import {
  endedByItself,
  goalOf,
  hasEnded,
  isDown,
  isGlobal,
  isInvalid,
  isJob,
  isRunnable,
  restartOf,
  stateOf,
  stateSince,
} from './facts.ts';
import type { Place, Plan } from './plan.ts';
import { mustWait, type StartTimes, startTime } from './start-times.ts';

/**
 * Replaces the tasks that ended and those whose node is lost to them, as the restart policy says.
 * `mayPlace` tells whether a slot can have another task (the node of a global service may refuse).
 */
export function restartTasks(
  plan: Plan,
  starts: StartTimes,
  mayPlace: (place: Place) => boolean = () => true,
): void {
  for (const key of [...plan.slots.keys()]) {
    for (const task of plan.runnable(key)) restartTask(plan, starts, key, task, mayPlace);
  }
}

function restartTask(
  plan: Plan,
  starts: StartTimes,
  key: string,
  task: Task,
  mayPlace: (place: Place) => boolean,
): void {
  const { now } = plan.view;
  const lost = task.nodeId !== '' && isInvalid(plan.nodeOf(task));
  if (!hasEnded(task) && !lost) return;
  if (isJob(plan.service) && stateOf(task) === TaskState.COMPLETE) return;
  const siblings = plan.runnable(key).filter(({ id }) => id !== task.id);
  if (hasEnded(task) && task.desiredState === TaskState.READY) {
    // It failed while it waited for its turn: the turn of the next is not before its own.
    const due = startTime(plan, starts, task);
    if (due > now) {
      plan.wake(due);
      return;
    }
  }
  if (!hasEnded(task) && movesGently(plan, task)) {
    move(plan, starts, task, siblings, mayPlace);
    return;
  }

  const history = plan.slots.get(key) ?? [];
  plan.desire(task, TaskState.SHUTDOWN);
  const place = placeOf(plan, task);
  if (!mayRestart(task, history) || !mayPlace(place)) return;
  if (siblings.length > 0 && !replaceBeside(plan, task, siblings)) return;
  const delayMs = hasEnded(task) ? restartOf(task.spec?.restart).delayMs : 0;
  const waits = delayMs > 0 || mustWait(plan, task);
  const replacement = plan.create(place, waits ? TaskState.READY : goalOf(plan.service));
  starts.set(replacement.id, now + delayMs);
  if (waits) plan.wake(now + delayMs);
}

/** A drained node gives its tasks time to be replaced first, if updates of the service do so too. */
function movesGently(plan: Plan, task: Task): boolean {
  if (plan.service.spec?.update?.order !== Order.START_FIRST) return false;
  return stateOf(task) === TaskState.RUNNING && !isDown(plan.nodeOf(task));
}

function move(
  plan: Plan,
  starts: StartTimes,
  task: Task,
  siblings: readonly Task[],
  mayPlace: (place: Place) => boolean,
): void {
  const elsewhere = siblings.filter((sibling) => sibling.nodeId !== task.nodeId);
  if (elsewhere.some((sibling) => stateOf(sibling) === TaskState.RUNNING)) {
    plan.desire(task, TaskState.SHUTDOWN);
  } else if (siblings.length === 0 && mayPlace(placeOf(plan, task))) {
    const replacement = plan.create(placeOf(plan, task), TaskState.RUNNING);
    starts.set(replacement.id, plan.view.now);
  } else if (!mayPlace(placeOf(plan, task))) plan.desire(task, TaskState.SHUTDOWN);
}

/**
 * Of two tasks in a slot one is being replaced by the other. If it is the new one that ended, it is
 * tried again while the update is not halted; the old one goes on meanwhile.
 */
function replaceBeside(plan: Plan, task: Task, siblings: readonly Task[]): boolean {
  const state = plan.service.updateStatus?.state;
  if (state === UpdateState.PAUSED || state === UpdateState.ROLLBACK_PAUSED) return false;
  return !isOnItsWayOut(plan, task) && siblings.every((sibling) => isOnItsWayOut(plan, sibling));
}

/** It is to be replaced: its spec is not the service's any more, or it must leave its node. */
export function isOnItsWayOut(plan: Plan, task: Task): boolean {
  const node = plan.nodeOf(task);
  return isDirty(plan.service, task, node) || (task.nodeId !== '' && isInvalid(node));
}

/**
 * What the restart policy says after the end of `task`, given all tasks of its slot. Attempts are
 * counted in the store, not in memory: those that ended by themselves with the same spec.
 */
function mayRestart(task: Task, history: readonly Task[]): boolean {
  const policy = restartOf(task.spec?.restart);
  if (policy.condition === Condition.NONE) return false;
  if (policy.condition === Condition.ON_FAILURE && stateOf(task) === TaskState.COMPLETE) {
    return false;
  }
  if (policy.maxAttempts === 0 || !endedByItself(task)) return true;
  const end = stateSince(task);
  const ends = history.filter(
    (other) =>
      endedByItself(other) &&
      other.specVersion?.index === task.specVersion?.index &&
      (policy.windowMs === 0 || end - stateSince(other) < policy.windowMs),
  );
  return ends.length <= policy.maxAttempts;
}

/**
 * True when a slot has no task that is meant to run because the last one may not be restarted: it
 * is taken, and stays as it is.
 */
export function isExhausted(slot: readonly Task[]): boolean {
  const last = slot.at(-1);
  if (!last || slot.some(isRunnable) || last.desiredState !== TaskState.SHUTDOWN) return false;
  return !mayRestart(last, slot);
}

/** Where a successor goes: anywhere with the same number, or for a global service the same node. */
export function placeOf(plan: Plan, task: Task): Place {
  return { slot: task.slot, nodeId: isGlobal(plan.service) ? task.nodeId : '' };
}
