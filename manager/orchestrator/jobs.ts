import type { Task } from '../../proto/gen/swarm/objects.ts';
import { NodeState, TaskState } from '../../proto/gen/swarm/types.ts';
import { hasEnded, isRunnable, stateOf } from './facts.ts';
import { mayRestartOn, takesTasks } from './global.ts';
import type { Plan } from './plan.ts';
import { isExhausted, restartTasks } from './restart.ts';
import type { StartTimes } from './start-times.ts';

/**
 * Runs a job until it has completed as often as it is to, some at a time. A slot that failed is
 * under way until its restart policy gives up, and keeps its place then: a job that cannot succeed
 * stands still, for somebody to look at.
 */
export function runReplicatedJob(plan: Plan, starts: StartTimes): void {
  const mode = plan.service.spec?.mode;
  if (mode?.$case !== 'replicatedJob') return;
  removeOtherIterations(plan);
  restartTasks(plan, starts);
  const { totalCompletions, maxConcurrent } = mode.replicatedJob;
  const completed = count(plan, isComplete);
  const underWay = count(plan, (tasks) => !isComplete(tasks) && isTaken(tasks));
  const room = Math.min(maxConcurrent - underWay, totalCompletions - completed - underWay);
  for (let slot = 0, added = 0; added < room; slot++) {
    const tasks = plan.slots.get(`${slot}`) ?? [];
    if (isComplete(tasks) || isTaken(tasks)) continue;
    plan.create({ slot, nodeId: '' }, TaskState.COMPLETE);
    added++;
  }
}

/** Runs a job to completion once on every node that can take it. */
export function runGlobalJob(plan: Plan, starts: StartTimes): void {
  removeOtherIterations(plan);
  for (const key of plan.slots.keys()) {
    const node = plan.view.node(key);
    if (node && takesTasks(plan.service, node)) continue;
    for (const task of plan.runnable(key)) {
      if (!hasEnded(task)) plan.desire(task, TaskState.SHUTDOWN);
    }
  }
  restartTasks(plan, starts, (place) => mayRestartOn(plan, place));
  for (const node of plan.view.nodes()) {
    if (node.status?.state !== NodeState.READY || !takesTasks(plan.service, node)) continue;
    const tasks = plan.slots.get(node.id) ?? [];
    if (isComplete(tasks) || isTaken(tasks)) continue;
    plan.create({ slot: 0, nodeId: node.id }, TaskState.COMPLETE);
  }
}

/** Every update of a job is a new run: the tasks of the one before count for nothing. */
function removeOtherIterations(plan: Plan): void {
  const iteration = plan.service.jobStatus?.jobIteration?.index ?? 0;
  for (const [key, tasks] of plan.slots) {
    const current = tasks.filter((task) => (task.jobIteration?.index ?? 0) === iteration);
    for (const task of tasks) if (!current.includes(task)) plan.desire(task, TaskState.REMOVE);
    plan.slots.set(key, current);
  }
}

function isComplete(tasks: readonly Task[]): boolean {
  return tasks.some((task) => stateOf(task) === TaskState.COMPLETE);
}

function isTaken(tasks: readonly Task[]): boolean {
  return tasks.some(isRunnable) || isExhausted(tasks);
}

function count(plan: Plan, counts: (tasks: readonly Task[]) => boolean): number {
  return [...plan.slots.values()].filter(counts).length;
}
