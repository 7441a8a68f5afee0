import type { Task } from '../../../proto/gen/swarm/objects.ts';
import type { ContainerSpec } from '../../../proto/gen/swarm/specs.ts';
import type { NodeDescription } from '../../../proto/gen/swarm/types.ts';
import type { TemplateScope } from './template.ts';

/** The node as templates and labels show it. */
export interface TaskNode {
  readonly id: string;
  readonly description: NodeDescription | undefined;
}

/** `<service>.<slot>.<task id>`, with the node's id for the slot of a global service. */
export function taskName(task: Task): string {
  if (task.annotations?.name) return task.annotations.name;
  return `${task.serviceAnnotations?.name ?? ''}.${slotOf(task)}.${task.id}`;
}

function slotOf(task: Task): string {
  return task.slot > 0 ? `${task.slot}` : task.nodeId;
}

export function containerSpecOf(task: Task): ContainerSpec | undefined {
  const runtime = task.spec?.runtime;
  return runtime?.$case === 'container' ? runtime.container : undefined;
}

/** What the placeholders of a task's spec may refer to. */
export function templateScope(task: Task, node: TaskNode): TemplateScope {
  const { hostname = '', platform } = node.description ?? {};
  return {
    data: {
      Service: {
        ID: task.serviceId,
        Name: task.serviceAnnotations?.name ?? '',
        Labels: task.serviceAnnotations?.labels ?? {},
      },
      Node: {
        ID: node.id,
        Hostname: hostname,
        Platform: { Architecture: platform?.architecture ?? '', OS: platform?.os ?? '' },
      },
      Task: { ID: task.id, Name: taskName(task), Slot: slotOf(task) },
    },
  };
}

/** The labels that say whose container it is; they win over those of users. */
export function systemLabels(task: Task): Record<string, string> {
  return {
    'com.docker.swarm.task': '',
    'com.docker.swarm.task.id': task.id,
    'com.docker.swarm.task.name': taskName(task),
    'com.docker.swarm.node.id': task.nodeId,
    'com.docker.swarm.service.id': task.serviceId,
    'com.docker.swarm.service.name': task.serviceAnnotations?.name ?? '',
  };
}
