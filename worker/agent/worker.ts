import type { Clock } from '../../common/clock.ts';
import { endsWithin } from '../../common/deadline.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { AssignmentsMessage } from '../../proto/gen/swarm/dispatcher.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState, TaskStatus } from '../../proto/gen/swarm/types.ts';
import { Assigned } from './assigned.ts';
import { type Controller, TaskExitError } from './controller.ts';
import { failureState } from './next-step.ts';
import type { TaskDb } from './task-db.ts';
import { TaskManager } from './task-manager.ts';

export interface WorkerComponents {
  readonly db: TaskDb;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Throws when the task is of a kind that this node cannot run. */
  readonly controllerFor: (task: Task) => Controller;
  readonly report: (taskId: string, status: TaskStatus) => void;
  /** Removes what is left of tasks that this node was told to forget, given those it keeps. */
  readonly sweep: (keep: ReadonlySet<string>) => Promise<void>;
}

const STOP_MS = 1_000;

/** Runs exactly the tasks that are assigned to this node, also while no manager can be reached. */
export class Worker {
  readonly #components: WorkerComponents;
  readonly #managers = new Map<string, TaskManager>();
  readonly #removals = new Map<string, Promise<void>>();
  readonly #listeners = new Set<(task: Task) => void>();
  #sweeping: Promise<void> = Promise.resolve();
  readonly assigned = new Assigned();

  constructor(components: WorkerComponents) {
    this.#components = components;
  }

  /** Goes on with the tasks of the last run. */
  async start(): Promise<void> {
    for (const { task, status } of await this.#components.db.load()) this.#lead(task, status);
  }

  /**
   * Leaves the tasks running. Removals that take long are left to the next start, which finds the
   * task in the database still.
   */
  async stop(): Promise<void> {
    await Promise.all([...this.#managers.values()].map((manager) => manager.close()));
    const removals = Promise.all([...this.#removals.values(), this.#sweeping]);
    await endsWithin(this.#components.clock, STOP_MS, removals);
  }

  /** Ends every task and forgets it. */
  async removeAll(): Promise<void> {
    for (const taskId of this.#managers.keys()) this.#remove(taskId);
    await Promise.all(this.#removals.values());
  }

  tasks(): readonly Task[] {
    return [...this.#managers.values()].map(({ task }) => task);
  }

  statuses(): ReadonlyMap<string, TaskStatus> {
    return new Map([...this.#managers].map(([taskId, { status }]) => [taskId, status]));
  }

  /** Calls `listener` with every task that is assigned or changed from now on. */
  onTask(listener: (task: Task) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Rejects when the message does not follow the one before. */
  async apply(message: AssignmentsMessage): Promise<void> {
    const { run, remove, complete } = this.assigned.take(message);
    const gone = complete ? this.#othersThan(run) : remove;
    for (const taskId of gone) this.#remove(taskId);
    await Promise.all(run.map((task) => this.#run(task)));
    if (complete) this.#sweep();
  }

  /** In the background, and not of what is being removed gently at this moment. */
  #sweep(): void {
    const keep = new Set([...this.#managers.keys(), ...this.#removals.keys()]);
    this.#sweeping = this.#sweeping.then(() => this.#components.sweep(keep));
  }

  #othersThan(tasks: readonly Task[]): string[] {
    const kept = new Set(tasks.map(({ id }) => id));
    return [...this.#managers.keys()].filter((id) => !kept.has(id));
  }

  async #run(task: Task): Promise<void> {
    await this.#components.db.putTask(task);
    const manager = this.#managers.get(task.id);
    if (manager) manager.update(task);
    else this.#lead(task, task.status ?? TaskStatus.fromPartial({}));
    for (const listener of this.#listeners) listener(task);
  }

  #lead(task: Task, status: TaskStatus): void {
    const { clock, logger } = this.#components;
    const report = (taskId: string, next: TaskStatus) => this.#report(taskId, next);
    let controller: Controller;
    let problem: unknown;
    try {
      controller = this.#components.controllerFor(task);
    } catch (error) {
      controller = brokenController;
      problem = error;
    }
    const first = problem ? unresolved(status, problem, new Date(clock.now())) : status;
    const components = { controller, clock, logger, report };
    const manager = new TaskManager(components, { task, status: first });
    this.#managers.set(task.id, manager);
    if (first !== status) report(task.id, first);
    manager.start();
  }

  #report(taskId: string, status: TaskStatus): void {
    const { db, report, logger } = this.#components;
    report(taskId, status);
    db.putStatus(taskId, status).catch((error) => {
      logger.warn({ taskId, err: errorMessage(error) }, 'task status not stored');
    });
  }

  /** In the background: a container may take its grace to end. */
  #remove(taskId: string): void {
    const manager = this.#managers.get(taskId);
    if (!manager) return;
    const { db, logger } = this.#components;
    this.#managers.delete(taskId);
    const removal = manager
      .remove()
      .then(() => db.remove(taskId))
      .catch((error) => {
        logger.warn({ taskId, err: errorMessage(error) }, 'task not removed, left for the sweep');
      })
      .finally(() => this.#removals.delete(taskId));
    this.#removals.set(taskId, removal);
  }
}

/** A task that no controller can be made for has failed before it began. */
function unresolved(status: TaskStatus, error: unknown, timestamp: Date): TaskStatus {
  if (status.state > TaskState.RUNNING) return status;
  const state = failureState(status.state);
  return {
    ...status,
    state,
    timestamp,
    message: 'resolving controller failed',
    err: errorMessage(error),
  };
}

const refuse = async () => {
  throw new TaskExitError(1, 'the task has no controller');
};

const brokenController: Controller = {
  prepare: refuse,
  start: refuse,
  wait: refuse,
  shutdown: async () => undefined,
  remove: async () => undefined,
  status: () => undefined,
};
