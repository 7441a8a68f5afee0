import type { ReadTx } from '../../manager/index.ts';
import type { Service } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { ServiceCounts } from './convert/service.ts';

/**
 * How many tasks of a service run, should run, and are complete. A task that is to be stopped does
 * not count as running, although it may still be; only the current iteration of a job counts.
 */
export function countTasks(tx: ReadTx, service: Service): ServiceCounts {
  const iteration = service.jobStatus?.jobIteration?.index;
  const tasks = tx
    .find('task', { serviceId: service.id })
    .filter((task) => iteration === undefined || task.jobIteration?.index === iteration);
  const wanted = tasks.filter((task) => task.desiredState <= TaskState.COMPLETE);
  const isComplete = tasks.filter((task) => task.status?.state === TaskState.COMPLETE);
  const isRunning = wanted.filter((task) => task.status?.state === TaskState.RUNNING);
  const mode = service.spec?.mode;
  return {
    RunningTasks: isRunning.length,
    DesiredTasks: desired(mode, wanted.length),
    CompletedTasks: isComplete.length,
  };
}

/** Global services are as large as the nodes they suit, which their tasks tell. */
function desired(mode: NonNullable<Service['spec']>['mode'], tasks: number): number {
  if (mode?.$case === 'replicated') return mode.replicated.replicas;
  if (mode?.$case === 'replicatedJob') return mode.replicatedJob.maxConcurrent;
  return tasks;
}
