import type { Node, Service } from '../../proto/gen/swarm/objects.ts';
import { NodeSpec_Availability as Availability } from '../../proto/gen/swarm/specs.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import { satisfies } from './constraints.ts';
import { isInvalid } from './facts.ts';
import type { Place, Plan } from './plan.ts';
import { isExhausted } from './restart.ts';

/** One task on every node that takes part, none elsewhere. */
export function spreadGlobally(plan: Plan): void {
  const { view, service } = plan;
  for (const key of plan.slots.keys()) {
    const node = view.node(key);
    if (node && keepsTasks(service, node)) continue;
    for (const task of plan.runnable(key)) plan.desire(task, TaskState.SHUTDOWN);
  }
  for (const node of view.nodes()) {
    if (!takesTasks(service, node)) continue;
    const slot = plan.slots.get(node.id) ?? [];
    if (plan.runnable(node.id).length > 0 || isExhausted(slot)) continue;
    plan.create({ slot: 0, nodeId: node.id }, TaskState.RUNNING);
  }
}

/** A paused node keeps its task, and does not get another when that ends. */
export function mayRestartOn(plan: Plan, { nodeId }: Place): boolean {
  const node = plan.view.node(nodeId);
  return node !== undefined && takesTasks(plan.service, node);
}

function keepsTasks(service: Service, node: Node): boolean {
  if (isInvalid(node)) return false;
  return satisfies(node, service.spec?.task?.placement?.constraints ?? []);
}

export function takesTasks(service: Service, node: Node): boolean {
  const availability = node.spec?.availability ?? Availability.ACTIVE;
  return availability === Availability.ACTIVE && keepsTasks(service, node);
}
