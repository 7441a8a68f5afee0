import type { Node, Task } from '../../proto/gen/swarm/objects.ts';
import {
  type GenericResource,
  type PortConfig,
  PortConfig_PublishMode as PublishMode,
  TaskState,
} from '../../proto/gen/swarm/types.ts';
import { noneReserved, type Reserved } from './resources.ts';

/** For how long, in milliseconds, a failure is held against a node. */
const FAULT_WINDOW_MS = 5 * 60 * 1000;
/** From how many failures in the window a node comes after the others. */
const MAX_FAULTS = 5;

interface Occupant {
  readonly task: Task;
  readonly generic: readonly GenericResource[];
}

/** A task that occupies its node: it is wanted there and has not ended. */
export function occupies({ status, desiredState }: Task): boolean {
  const state = status?.state ?? TaskState.NEW;
  return (
    state >= TaskState.ASSIGNED && state <= TaskState.RUNNING && desiredState <= TaskState.COMPLETE
  );
}

/** A failing service is held against a node by version: the next version may be good. */
export function faultKey({ serviceId, specVersion }: Task): string {
  return `${serviceId}/${specVersion?.index ?? ''}`;
}

export function hostPorts({ endpoint }: Task): PortConfig[] {
  return (endpoint?.ports ?? []).filter(
    ({ publishMode, publishedPort }) => publishMode === PublishMode.HOST && publishedPort !== 0,
  );
}

export function portKey({ protocol, publishedPort }: PortConfig): string {
  return `${protocol}/${publishedPort}`;
}

/** One node and what is on it, as the filters and the spread look at it. */
export class NodeInfo {
  node: Node;
  readonly reserved: Reserved = noneReserved();
  readonly #tasks = new Map<string, Occupant>();
  readonly #perService = new Map<string, number>();
  readonly #ports = new Map<string, Task>();
  readonly #faults = new Map<string, number[]>();

  constructor(node: Node) {
    this.node = node;
  }

  /** Number of tasks that occupy the node. */
  get taskCount(): number {
    return this.#tasks.size;
  }

  countOf(serviceId: string): number {
    return this.#perService.get(serviceId) ?? 0;
  }

  has(taskId: string): boolean {
    return this.#tasks.has(taskId);
  }

  /** The task that has a host port. */
  portHolder(port: PortConfig): Task | undefined {
    return this.#ports.get(portKey(port));
  }

  /** Takes a task, or its next state, into account; true when that freed something. */
  put(task: Task): boolean {
    const had = this.remove(task.id);
    if (!occupies(task)) return had;
    this.place(task, task.assignedGenericResources);
    return false;
  }

  /** A task that is to be here, with the generic resources that were claimed for it. */
  place(task: Task, generic: readonly GenericResource[]): void {
    const occupant = { task, generic };
    this.#tasks.set(task.id, occupant);
    this.#account(occupant, 1);
    for (const port of hostPorts(task)) this.#ports.set(portKey(port), task);
  }

  /** True when the task was there. */
  remove(taskId: string): boolean {
    const occupant = this.#tasks.get(taskId);
    if (!occupant) return false;
    this.#tasks.delete(taskId);
    this.#account(occupant, -1);
    for (const port of hostPorts(occupant.task)) {
      if (this.portHolder(port)?.id === taskId) this.#ports.delete(portKey(port));
    }
    return true;
  }

  /** Times are milliseconds since the epoch. */
  noteFault(key: string, at: number): void {
    const times = this.#faults.get(key) ?? [];
    times.push(at);
    this.#faults.set(key, times.slice(-2 * MAX_FAULTS));
  }

  /** Failures within the window, or none as long as they are few. */
  faultsOf(key: string, now: number): number {
    const times = this.#faults.get(key);
    if (!times) return 0;
    const recent = times.filter((at) => at > now - FAULT_WINDOW_MS);
    if (recent.length === 0) this.#faults.delete(key);
    return recent.length >= MAX_FAULTS ? recent.length : 0;
  }

  #account({ task, generic }: Occupant, sign: 1 | -1): void {
    const { reserved } = this;
    const wanted = task.spec?.resources?.reservations;
    reserved.nanoCpus += sign * (wanted?.nanoCpus ?? 0);
    reserved.memoryBytes += sign * (wanted?.memoryBytes ?? 0);
    for (const resource of generic) {
      if (sign > 0) reserved.generic.push(resource);
      else reserved.generic.splice(reserved.generic.indexOf(resource), 1);
    }
    const count = this.countOf(task.serviceId) + sign;
    if (count > 0) this.#perService.set(task.serviceId, count);
    else this.#perService.delete(task.serviceId);
  }
}
