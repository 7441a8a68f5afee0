import type { Task } from '../../proto/gen/swarm/objects.ts';

/** The name of a task: its own, or `<service>.<slot, or node id when global>.<task id>`. */
export function taskName(task: Task): string {
  if (task.annotations?.name) return task.annotations.name;
  return `${task.serviceAnnotations?.name ?? ''}.${task.slot || task.nodeId}.${task.id}`;
}
