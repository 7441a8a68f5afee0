import type { Node, Service, Task } from '../../proto/gen/swarm/objects.ts';
import { NodeSpec_Availability as Availability } from '../../proto/gen/swarm/specs.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import { findShortage, noneReserved, type Reserved } from '../scheduler/resources.ts';
import { satisfies } from './constraints.ts';
import { byAge, stateOf } from './facts.ts';

/**
 * The tasks of a node that must leave it: those whose service's constraints it does not meet, and,
 * when it has become too small, the youngest of the rest until the others fit.
 */
export function misplacedTasks(
  node: Node,
  tasks: readonly Task[],
  serviceOf: (id: string) => Service | undefined,
): Task[] {
  // A paused node keeps what it has, a drained one loses everything anyway.
  if ((node.spec?.availability ?? Availability.ACTIVE) !== Availability.ACTIVE) return [];
  const reserved = noneReserved();
  return tasks
    .filter(holdsNode)
    .sort(byAge)
    .filter((task) => !meets(node, task, serviceOf) || !reserve(node, task, reserved));
}

function holdsNode(task: Task): boolean {
  const { desiredState } = task;
  const wanted = desiredState >= TaskState.ASSIGNED && desiredState <= TaskState.COMPLETE;
  return wanted && stateOf(task) >= TaskState.ASSIGNED && stateOf(task) < TaskState.COMPLETE;
}

function meets(node: Node, task: Task, serviceOf: (id: string) => Service | undefined): boolean {
  const spec = serviceOf(task.serviceId)?.spec?.task ?? task.spec;
  return satisfies(node, spec?.placement?.constraints ?? []);
}

/** Counts the task's reservations in; false when they do not fit beside those of the others. */
function reserve(node: Node, task: Task, reserved: Reserved): boolean {
  const wanted = task.spec?.resources?.reservations;
  if (!wanted) return true;
  if (findShortage({ ...wanted, generic: [] }, node.description?.resources, reserved)) return false;
  reserved.nanoCpus += wanted.nanoCpus;
  reserved.memoryBytes += wanted.memoryBytes;
  return true;
}
