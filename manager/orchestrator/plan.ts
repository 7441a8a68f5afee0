import { newId } from '../../common/ids.ts';
import type { Random } from '../../common/random.ts';
import type { Cluster, Node, Service } from '../../proto/gen/swarm/objects.ts';
import { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import { byAge, isRunnable, slotKey } from './facts.ts';

/** What one service looks like, as its reconciliation sees it. */
export interface ServiceView {
  readonly service: Service;
  readonly tasks: readonly Task[];
  readonly cluster: Cluster | undefined;
  readonly node: (id: string) => Node | undefined;
  readonly nodes: () => Iterable<Node>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly random: Random;
}

export type Action =
  | { readonly kind: 'create'; readonly task: Task }
  | { readonly kind: 'desire'; readonly taskId: string; readonly state: TaskState }
  | { readonly kind: 'remove'; readonly taskId: string }
  /** Applies only while the service has the spec and the update status of `base`. */
  | { readonly kind: 'service'; readonly base: Service; readonly change: Partial<Service> };

/** Where a new task goes. */
export interface Place {
  readonly slot: number;
  /** Of a global service; '' lets the scheduler choose. */
  readonly nodeId: string;
}

/**
 * Decisions about one service in the making. Each shows at once in `slots` and `service`, so that
 * the next is made on the state as it will be.
 */
export class Plan {
  readonly view: ServiceView;
  readonly actions: Action[] = [];
  /** Tasks by slot, oldest first. */
  readonly slots = new Map<string, Task[]>();
  service: Service;
  /** When to look again although nothing changed, milliseconds since the epoch. */
  wakeAt = Infinity;

  constructor(view: ServiceView) {
    this.view = view;
    this.service = view.service;
    for (const task of [...view.tasks].sort(byAge)) this.#slot(task).push(task);
  }

  create(place: Place, desiredState: TaskState): Task {
    const { view, service } = this;
    const task = newTask(service, view.cluster, {
      ...place,
      id: newId(view.random),
      desiredState,
      now: new Date(view.now),
    });
    this.actions.push({ kind: 'create', task });
    this.#slot(task).push(task);
    return task;
  }

  /** Desired states only go forward. */
  desire(task: Task, state: TaskState): void {
    if (task.desiredState >= state) return;
    this.actions.push({ kind: 'desire', taskId: task.id, state });
    const slot = this.#slot(task);
    slot[slot.findIndex(({ id }) => id === task.id)] = { ...task, desiredState: state };
  }

  changeService(change: Partial<Service>): void {
    this.actions.push({ kind: 'service', base: this.service, change });
    this.service = { ...this.service, ...change };
  }

  wake(at: number): void {
    this.wakeAt = Math.min(this.wakeAt, at);
  }

  /** The tasks of a slot that are meant to run. */
  runnable(key: string): Task[] {
    return (this.slots.get(key) ?? []).filter(isRunnable);
  }

  nodeOf(task: Task): Node | undefined {
    return task.nodeId ? this.view.node(task.nodeId) : undefined;
  }

  #slot(task: Task): Task[] {
    const key = slotKey(this.service, task);
    const slot = this.slots.get(key) ?? [];
    this.slots.set(key, slot);
    return slot;
  }
}

function newTask(
  service: Service,
  cluster: Cluster | undefined,
  init: Place & { id: string; desiredState: TaskState; now: Date },
): Task {
  const spec = service.spec?.task;
  const { id, slot, nodeId, desiredState, now } = init;
  return {
    ...Task.fromPartial({ id, slot, nodeId, desiredState, serviceId: service.id }),
    serviceAnnotations: service.spec?.annotations,
    spec,
    specVersion: service.specVersion,
    endpoint: { spec: service.spec?.endpoint, ports: [], virtualIps: [] },
    logDriver: spec?.logDriver ?? cluster?.spec?.taskDefaults?.logDriver,
    jobIteration: service.jobStatus?.jobIteration,
    status: {
      state: TaskState.NEW,
      timestamp: now,
      message: 'created',
      err: '',
      appliedBy: '',
      appliedAt: now,
    },
  };
}
