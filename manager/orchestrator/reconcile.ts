import { TaskState } from '../../proto/gen/swarm/types.ts';
import { modeOf } from './facts.ts';
import { mayRestartOn, spreadGlobally } from './global.ts';
import { runGlobalJob, runReplicatedJob } from './jobs.ts';
import { Plan, type ServiceView } from './plan.ts';
import { scaleReplicas } from './replicated.ts';
import { restartTasks } from './restart.ts';
import { type StartTimes, startTasks } from './start-times.ts';
import { UpdateMemory, updateTasks } from './update.ts';

/** What the orchestrator remembers of one service. */
export class ServiceMemory {
  readonly starts: StartTimes = new Map();
  readonly update = new UpdateMemory();
}

/**
 * Everything that has to be done for one service now, and when to look again. Deterministic but for
 * the ids of new tasks; calling it again on the outcome, at the same time, does nothing.
 */
export function reconcileService(view: ServiceView, memory: ServiceMemory): Plan {
  const plan = new Plan(view);
  if (view.service.pendingDelete) {
    removeTasks(plan);
    return plan;
  }
  switch (modeOf(view.service)) {
    case 'replicated':
      restartTasks(plan, memory.starts);
      scaleReplicas(plan);
      updateTasks(plan, memory.starts, memory.update);
      break;
    case 'global':
      restartTasks(plan, memory.starts, (place) => mayRestartOn(plan, place));
      spreadGlobally(plan);
      updateTasks(plan, memory.starts, memory.update);
      break;
    case 'replicatedJob':
      runReplicatedJob(plan, memory.starts);
      break;
    case 'globalJob':
      runGlobalJob(plan, memory.starts);
      break;
  }
  startTasks(plan, memory.starts);
  forget(plan, memory);
  return plan;
}

/** The service is gone or going: its tasks end, and the reaper deletes them. */
export function removeTasks(plan: Plan): void {
  for (const tasks of [...plan.slots.values()]) {
    for (const task of tasks) plan.desire(task, TaskState.REMOVE);
  }
}

function forget(plan: Plan, memory: ServiceMemory): void {
  const ids = new Set([...plan.slots.values()].flat().map(({ id }) => id));
  for (const id of memory.starts.keys()) if (!ids.has(id)) memory.starts.delete(id);
}
