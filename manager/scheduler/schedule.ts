import type { NodeRejection, Task } from '../../proto/gen/swarm/objects.ts';
import { type GenericResource, TaskState } from '../../proto/gen/swarm/types.ts';
import type { FilterContext } from './filters/filter.ts';
import { faultKey, type NodeInfo } from './node-info.ts';
import { Pipeline, summarize } from './pipeline.ts';
import { claimGenerics } from './resources.ts';
import { SpreadTree, spreadLabels } from './spread-tree.ts';

/** A task with its place. */
export interface Assignment {
  readonly task: Task;
  readonly info: NodeInfo;
  readonly genericResources: readonly GenericResource[];
}

/** Why there is no place. */
export interface Explanation {
  /** "no suitable node (...)". */
  readonly summary: string;
  /** One per node that refused. */
  readonly rejections: readonly NodeRejection[];
}

export interface Schedule {
  readonly assigned: readonly Assignment[];
  readonly unassigned: readonly Task[];
  /** Set when `unassigned` is not empty. */
  readonly explanation?: Explanation;
}

/**
 * Places tasks that are all alike (one service, one version of its template), spreading them first
 * over the branches of the preferences, then over the nodes. Every placement is taken into account
 * in `nodes` at once.
 *
 * `now`: milliseconds since the epoch, for which failures still count.
 */
export function schedule(
  nodes: readonly NodeInfo[],
  tasks: readonly Task[],
  context: FilterContext,
  now: number,
): Schedule {
  const [sample] = tasks;
  if (!sample) return { assigned: [], unassigned: [] };
  const pipeline = new Pipeline(sample, context);
  const labels = spreadLabels(sample.spec?.placement);
  const order = orderFor(sample, now);
  const assigned =
    tasks.length === 1 && labels.length === 0
      ? placeOne(nodes, sample, pipeline, order)
      : placeAll(nodes, tasks, pipeline, new SpreadTree(labels, order));
  const unassigned = tasks.slice(assigned.length);
  if (unassigned.length === 0) return { assigned, unassigned };
  return { assigned, unassigned, explanation: explain(nodes, pipeline) };
}

/** Whether a task can run where it was put already, as one of a global service is. */
export function confirm(
  info: NodeInfo | undefined,
  task: Task,
  context: FilterContext,
): Assignment | Explanation {
  if (!info) return { summary: summarize([]), rejections: [] };
  const rejection = new Pipeline(task, context).reject(info);
  if (rejection) return { summary: summarize([rejection]), rejections: [rejection] };
  return place(task, info);
}

/** Every node that cannot take the task, with the reason: for whoever asks, at any time. */
export function explainTask(
  nodes: readonly NodeInfo[],
  task: Task,
  context: FilterContext,
): Explanation {
  return explain(nodes, new Pipeline(task, context));
}

/** The task as it is once it is assigned to `nodeId`. */
export function assignedTo(
  task: Task,
  nodeId: string,
  genericResources: readonly GenericResource[],
): Task {
  const status = { ...EMPTY_STATUS, ...task.status, state: TaskState.ASSIGNED };
  return { ...task, nodeId, status, assignedGenericResources: genericResources };
}

const EMPTY_STATUS = { state: TaskState.NEW, message: '', err: '', appliedBy: '' };

function placeAll(
  nodes: readonly NodeInfo[],
  tasks: readonly Task[],
  pipeline: Pipeline,
  tree: SpreadTree,
): Assignment[] {
  const serviceId = tasks[0]?.serviceId ?? '';
  for (const info of nodes) tree.add(info, info.countOf(serviceId), pipeline.passes(info));
  const assigned: Assignment[] = [];
  for (const task of tasks) {
    const info = tree.pick();
    if (!info) break;
    assigned.push(place(task, info));
    tree.placed(info, pipeline.passes(info));
  }
  return assigned;
}

/** What `placeAll` does for one task: filters are asked only about nodes better than the best. */
function placeOne(
  nodes: readonly NodeInfo[],
  task: Task,
  pipeline: Pipeline,
  order: Order,
): Assignment[] {
  let best: NodeInfo | undefined;
  for (const info of nodes) {
    if ((!best || order(info, best) < 0) && pipeline.passes(info)) best = info;
  }
  return best ? [place(task, best)] : [];
}

function place(task: Task, info: NodeInfo): Assignment {
  const reservations = task.spec?.resources?.reservations;
  const offered = info.node.description?.resources;
  const genericResources = claimGenerics(reservations, offered, info.reserved);
  info.place(task, genericResources);
  return { task, info, genericResources };
}

type Order = (a: NodeInfo, b: NodeInfo) => number;

/** The better node first: few failures, few tasks of this service, few tasks at all. */
function orderFor(task: Task, now: number): Order {
  const key = faultKey(task);
  const { serviceId } = task;
  return (a, b) =>
    a.faultsOf(key, now) - b.faultsOf(key, now) ||
    a.countOf(serviceId) - b.countOf(serviceId) ||
    a.taskCount - b.taskCount;
}

function explain(nodes: readonly NodeInfo[], pipeline: Pipeline): Explanation {
  const rejections: NodeRejection[] = [];
  for (const info of nodes) {
    const rejection = pipeline.reject(info);
    if (rejection) rejections.push(rejection);
  }
  return { summary: summarize(rejections), rejections };
}
