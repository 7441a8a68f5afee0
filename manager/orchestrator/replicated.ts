import type { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { Plan } from './plan.ts';
import { isExhausted } from './restart.ts';
import { slotsToKeep } from './scale-down.ts';

/** Brings the number of slots to the number of replicas. */
export function scaleReplicas(plan: Plan): void {
  const mode = plan.service.spec?.mode;
  const replicas = mode?.$case === 'replicated' ? mode.replicated.replicas : 0;
  const taken = takenSlots(plan);
  if (taken.size < replicas) addSlots(plan, taken, replicas - taken.size);
  else if (taken.size > replicas) dropSlots(plan, taken, replicas);
}

/** Slots that count: a task is meant to run there, or the last one may not be restarted. */
function takenSlots(plan: Plan): Map<string, Task[]> {
  const taken = new Map<string, Task[]>();
  for (const [key, tasks] of plan.slots) {
    const runnable = plan.runnable(key);
    if (runnable.length > 0) taken.set(key, runnable);
    else if (isExhausted(tasks)) taken.set(key, tasks.slice(-1));
  }
  return taken;
}

/** In the lowest free slots. The history of a slot that was left stays with it. */
function addSlots(plan: Plan, taken: ReadonlyMap<string, unknown>, count: number): void {
  let slot = 1;
  for (let added = 0; added < count; slot++) {
    if (taken.has(`${slot}`)) continue;
    plan.create({ slot, nodeId: '' }, TaskState.RUNNING);
    added++;
  }
}

function dropSlots(plan: Plan, taken: ReadonlyMap<string, readonly Task[]>, keep: number): void {
  const kept = slotsToKeep(plan, taken, keep);
  for (const key of taken.keys()) {
    if (kept.has(key)) continue;
    for (const task of plan.slots.get(key) ?? []) plan.desire(task, TaskState.REMOVE);
  }
}
