import { durationMs } from '../../common/duration.ts';
import type { Service, Task } from '../../proto/gen/swarm/objects.ts';
import {
  UpdateConfig_FailureAction as FailureAction,
  UpdateConfig_UpdateOrder as Order,
  TaskState,
  UpdateConfig,
  UpdateStatus_UpdateState as UpdateState,
  type UpdateStatus,
} from '../../proto/gen/swarm/types.ts';
import { isDirty } from './dirty.ts';
import { createdAt, endedByItself, hasEnded, isRunnable, stateOf, stateSince } from './facts.ts';
import type { Plan } from './plan.ts';
import { isExhausted, isOnItsWayOut, placeOf } from './restart.ts';
import { mustWait, type StartTimes } from './start-times.ts';

/** What an update remembers between two looks at its service; lost with the leader, and derived again. */
export class UpdateMemory {
  /** By task id: when it was first seen running. */
  readonly runningSince = new Map<string, number>();
  readonly failed = new Set<string>();

  clear(): void {
    this.runningSince.clear();
    this.failed.clear();
  }
}

const DEFAULT_CONFIG = UpdateConfig.fromPartial({ parallelism: 1 });
const DEFAULT_MONITOR_MS = 5_000;
/** A task of an update that does not run by then counts as failed. */
const PROGRESS_DEADLINE_MS = 10 * 60_000;

/** Where one slot of the service stands. `created` is the task that takes the place of the old. */
interface Progress {
  readonly key: string;
  readonly dirty: readonly Task[];
  readonly created: Task | undefined;
}

/**
 * Moves a rolling update on by as much as may happen now: replaces the next slots, counts failures
 * and acts on them, and ends the update. All it knows comes from the store and `memory`.
 */
export function updateTasks(plan: Plan, starts: StartTimes, memory: UpdateMemory): void {
  const state = plan.service.updateStatus?.state ?? UpdateState.UNKNOWN;
  retireReplaced(plan);
  if (!isUnderWay(state)) {
    memory.clear();
    if (
      state !== UpdateState.UNKNOWN ||
      progressOf(plan).every(({ dirty }) => dirty.length === 0)
    ) {
      return;
    }
    setStatus(plan, UpdateState.UPDATING, 'update in progress');
  }
  const slots = progressOf(plan);
  observe(plan, slots, memory);
  if (haltOnFailure(plan, slots, memory)) return;
  const busy = slots.filter((slot) => isBusy(plan, slot, memory)).length;
  const { parallelism } = configOf(plan.service);
  const room = parallelism === 0 ? Infinity : parallelism - busy;
  const waiting = slots.filter(({ dirty, created }) => dirty.length > 0 && !created);
  for (const slot of waiting.sort(brokenFirst).slice(0, Math.max(0, room))) {
    replace(plan, starts, slot);
  }
  if (waiting.length === 0 && busy === 0 && isQuiet(plan, slots, memory)) complete(plan, memory);
}

function isUnderWay(state: UpdateState): boolean {
  return state === UpdateState.UPDATING || state === UpdateState.ROLLBACK_STARTED;
}

function configOf(service: Service): UpdateConfig {
  const rollingBack = service.updateStatus?.state === UpdateState.ROLLBACK_STARTED;
  return (rollingBack ? service.spec?.rollback : service.spec?.update) ?? DEFAULT_CONFIG;
}

/**
 * Ends what is left over in slots with several tasks. With start-first, an old task goes when the
 * new one runs (and is healthy, if it can tell); of two that are as they should be, one goes.
 */
function retireReplaced(plan: Plan): void {
  for (const key of plan.slots.keys()) {
    const runnable = plan.runnable(key);
    if (runnable.length < 2) continue;
    const fit = runnable.filter((task) => !isOnItsWayOut(plan, task));
    const running = fit.find((task) => stateOf(task) === TaskState.RUNNING);
    for (const task of runnable) {
      const superfluous = fit.includes(task) ? task !== (running ?? fit[0]) : running !== undefined;
      if (superfluous) plan.desire(task, TaskState.SHUTDOWN);
    }
  }
}

function progressOf(plan: Plan): Progress[] {
  const progress: Progress[] = [];
  for (const [key, tasks] of plan.slots) {
    const live = tasks.some(isRunnable) || isExhausted(tasks);
    if (!live) continue;
    const current = tasks.some(isRunnable) ? tasks.filter(isRunnable) : tasks.slice(-1);
    const dirty = current.filter((task) => isDirtyNow(plan, task));
    progress.push({ key, dirty, created: successorIn(plan, tasks, dirty) });
  }
  return progress;
}

/**
 * The task that this update made in a slot, or one of an earlier update that will do: it has the
 * spec that is wanted now, and what it is to replace is still there.
 */
function successorIn(plan: Plan, slot: readonly Task[], dirty: readonly Task[]): Task | undefined {
  const made = slot.find(
    (task) => isOfThisUpdate(plan.service, task, plan.view.now) && !wasCalledOff(task),
  );
  if (made || dirty.length === 0) return made;
  return slot.find((task) => isRunnable(task) && !isOnItsWayOut(plan, task));
}

/** By version, not by content: an earlier update may have wanted the same. */
function isOfThisUpdate(service: Service, task: Task, now: number): boolean {
  const startedAt = service.updateStatus?.startedAt?.getTime() ?? 0;
  return (
    task.specVersion?.index === service.specVersion?.index && createdAt(task, now) >= startedAt
  );
}

/** It was told to end before it could: its successor tells how the slot fares. */
function wasCalledOff(task: Task): boolean {
  return !isRunnable(task) && !endedByItself(task);
}

function isDirtyNow(plan: Plan, task: Task): boolean {
  return isDirty(plan.service, task, plan.nodeOf(task));
}

/** Notes which of the new tasks run, and which failed within the time they are monitored. */
function observe(plan: Plan, slots: readonly Progress[], memory: UpdateMemory): void {
  const monitor = durationMs(configOf(plan.service).monitor, DEFAULT_MONITOR_MS);
  for (const { created } of slots) {
    if (!created || memory.failed.has(created.id)) continue;
    const ran = memory.runningSince.get(created.id);
    if (stateOf(created) === TaskState.RUNNING) {
      if (ran === undefined) memory.runningSince.set(created.id, stateSince(created));
    } else if (endedByItself(created)) {
      if (ran === undefined || stateSince(created) - ran <= monitor) memory.failed.add(created.id);
    } else if (!hasEnded(created)) {
      const deadline = createdAt(created, plan.view.now) + PROGRESS_DEADLINE_MS;
      if (deadline <= plan.view.now) memory.failed.add(created.id);
      else plan.wake(deadline);
    }
  }
}

/** True when the update does not go on: it is paused, or has become a rollback. */
function haltOnFailure(plan: Plan, slots: readonly Progress[], memory: UpdateMemory): boolean {
  const { failureAction, maxFailureRatio } = configOf(plan.service);
  const total = slots.filter(({ dirty, created }) => created || dirty.length > 0).length;
  if (failureAction === FailureAction.CONTINUE || memory.failed.size === 0) return false;
  if (memory.failed.size / total <= maxFailureRatio) return false;

  const cause = `due to failure or early termination of task ${[...memory.failed].at(-1)}`;
  memory.clear();
  const { previousSpec, updateStatus } = plan.service;
  if (updateStatus?.state === UpdateState.ROLLBACK_STARTED) {
    setStatus(plan, UpdateState.ROLLBACK_PAUSED, `rollback paused ${cause}`);
  } else if (failureAction === FailureAction.ROLLBACK && previousSpec) {
    rollBack(plan, `update rolled back ${cause}`);
  } else {
    const lacks = failureAction === FailureAction.ROLLBACK ? '; there is no previous spec' : '';
    setStatus(plan, UpdateState.PAUSED, `update paused ${cause}${lacks}`);
  }
  return true;
}

function rollBack(plan: Plan, message: string): void {
  const { previousSpec, previousSpecVersion } = plan.service;
  plan.changeService({
    spec: previousSpec,
    specVersion: previousSpecVersion,
    previousSpec: undefined,
    previousSpecVersion: undefined,
    updateStatus: newStatus(plan, UpdateState.ROLLBACK_STARTED, message),
  });
  // The slots are looked at again with the other spec.
  plan.wake(plan.view.now);
}

/** A slot holds its place until the new task has run, or failed, for the delay between updates. */
function isBusy(plan: Plan, { created }: Progress, memory: UpdateMemory): boolean {
  if (!created) return false;
  if (!hasEnded(created) && stateOf(created) < TaskState.RUNNING) {
    return !memory.failed.has(created.id);
  }
  const since = memory.runningSince.get(created.id) ?? stateSince(created);
  const until = since + durationMs(configOf(plan.service).delay, 0);
  if (until > plan.view.now) plan.wake(until);
  return until > plan.view.now;
}

/** Slots that do not work have nothing to lose, then in the order of their numbers. */
function brokenFirst(a: Progress, b: Progress): number {
  const works = ({ dirty }: Progress) =>
    dirty.some((task) => stateOf(task) === TaskState.RUNNING) ? 1 : 0;
  return works(a) - works(b) || dirtySlot(a) - dirtySlot(b);
}

function dirtySlot({ dirty }: Progress): number {
  return dirty[0]?.slot ?? 0;
}

function replace(plan: Plan, starts: StartTimes, { dirty }: Progress): void {
  const [first] = dirty;
  if (!first) return;
  const startFirst = configOf(plan.service).order === Order.START_FIRST;
  for (const task of dirty) {
    if (!startFirst || stateOf(task) !== TaskState.RUNNING) plan.desire(task, TaskState.SHUTDOWN);
  }
  const waits = !startFirst && dirty.some((task) => mustWait(plan, task));
  const created = plan.create(placeOf(plan, first), waits ? TaskState.READY : TaskState.RUNNING);
  starts.set(created.id, plan.view.now);
}

/** True when all new tasks have been watched for as long as they are to be. */
function isQuiet(plan: Plan, slots: readonly Progress[], memory: UpdateMemory): boolean {
  const { failureAction, monitor } = configOf(plan.service);
  if (failureAction === FailureAction.CONTINUE) return true;
  const lasts = slots.flatMap(({ created }) => {
    const since = created && memory.runningSince.get(created.id);
    return since === undefined ? [] : [since + durationMs(monitor, DEFAULT_MONITOR_MS)];
  });
  const until = Math.max(0, ...lasts);
  if (until > plan.view.now) plan.wake(until);
  return until <= plan.view.now;
}

function complete(plan: Plan, memory: UpdateMemory): void {
  memory.clear();
  const rollback = plan.service.updateStatus?.state === UpdateState.ROLLBACK_STARTED;
  const updateStatus: UpdateStatus = {
    ...(plan.service.updateStatus as UpdateStatus),
    state: rollback ? UpdateState.ROLLBACK_COMPLETED : UpdateState.COMPLETED,
    message: rollback ? 'rollback completed' : 'update completed',
    completedAt: new Date(plan.view.now),
  };
  plan.changeService({ updateStatus });
}

function setStatus(plan: Plan, state: UpdateState, message: string): void {
  plan.changeService({ updateStatus: newStatus(plan, state, message) });
}

function newStatus(plan: Plan, state: UpdateState, message: string): UpdateStatus {
  const now = new Date(plan.view.now);
  const begins = state === UpdateState.UPDATING || state === UpdateState.ROLLBACK_STARTED;
  return { state, message, startedAt: begins ? now : plan.service.updateStatus?.startedAt };
}
