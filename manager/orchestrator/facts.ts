import { durationMs } from '../../common/duration.ts';
import type { Node, Service, Task } from '../../proto/gen/swarm/objects.ts';
import {
  NodeSpec_Availability as Availability,
  RestartPolicy_RestartCondition as Condition,
  type RestartPolicy,
} from '../../proto/gen/swarm/specs.ts';
import { NodeState, TaskState } from '../../proto/gen/swarm/types.ts';

/** What the decisions of the orchestrators are made of: small questions to tasks and nodes. */

const DEFAULT_RESTART_DELAY_MS = 5_000;

export function stateOf(task: Task): TaskState {
  return task.status?.state ?? TaskState.NEW;
}

/** It is meant to run, now or later; a task of a job, to run to its end. */
export function isRunnable(task: Task): boolean {
  return task.desiredState <= TaskState.COMPLETE;
}

/** Its observed state will not change any more. */
export function hasEnded(task: Task): boolean {
  return stateOf(task) > TaskState.RUNNING;
}

/** It ended without having been told to. */
export function endedByItself(task: Task): boolean {
  const state = stateOf(task);
  return state === TaskState.COMPLETE || state === TaskState.FAILED || state === TaskState.REJECTED;
}

/** It has a node, and its container may be running there. */
export function mayBeRunning(task: Task): boolean {
  const state = stateOf(task);
  return state >= TaskState.ASSIGNED && state <= TaskState.RUNNING;
}

/** Milliseconds since the epoch, by the leader's clock; `now` for a task not yet written. */
export function createdAt(task: Task, now: number): number {
  return task.meta?.createdAt?.getTime() ?? now;
}

/** When the task entered its state, by the leader's clock where it is known. */
export function stateSince(task: Task): number {
  const { appliedAt, timestamp } = task.status ?? {};
  return (appliedAt ?? timestamp)?.getTime() ?? 0;
}

/** Oldest first; the id makes the order whole. */
export function byAge(a: Task, b: Task): number {
  const difference = createdAt(a, Infinity) - createdAt(b, Infinity);
  if (difference > 0 || difference < 0) return difference;
  return a.id < b.id ? -1 : 1;
}

export function isDown(node: Node | undefined): boolean {
  return node === undefined || node.status?.state === NodeState.DOWN;
}

function isDrained(node: Node | undefined): boolean {
  return node?.spec?.availability === Availability.DRAIN;
}

/** Tasks do not stay there. Nodes that are unknown, disconnected or paused keep theirs. */
export function isInvalid(node: Node | undefined): boolean {
  return isDown(node) || isDrained(node);
}

export interface Restart {
  readonly condition: Condition;
  readonly delayMs: number;
  readonly maxAttempts: number;
  /** 0 is for ever. */
  readonly windowMs: number;
}

export function restartOf(policy: RestartPolicy | undefined): Restart {
  return {
    condition: policy?.condition ?? Condition.ANY,
    delayMs: durationMs(policy?.delay, DEFAULT_RESTART_DELAY_MS),
    maxAttempts: policy?.maxAttempts ?? 0,
    windowMs: durationMs(policy?.window, 0),
  };
}

export type Mode = 'replicated' | 'global' | 'replicatedJob' | 'globalJob';

export function modeOf(service: Service): Mode {
  return service.spec?.mode?.$case ?? 'replicated';
}

export function isJob(service: Service): boolean {
  const mode = modeOf(service);
  return mode === 'replicatedJob' || mode === 'globalJob';
}

/** What the tasks of a service are meant for once they may start. */
export function goalOf(service: Service): TaskState {
  return isJob(service) ? TaskState.COMPLETE : TaskState.RUNNING;
}

export function isGlobal(service: Service): boolean {
  const mode = modeOf(service);
  return mode === 'global' || mode === 'globalJob';
}

/** What makes two tasks successors of one another: a slot number, or the node of a global service. */
export function slotKey(service: Service, task: Pick<Task, 'slot' | 'nodeId'>): string {
  return isGlobal(service) ? task.nodeId : `${task.slot}`;
}
