import type { Clock, Timer } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import type { TaskStatusUpdate } from '../../proto/gen/swarm/dispatcher.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState, type TaskStatus } from '../../proto/gen/swarm/types.ts';
import type { Store, WriteTx } from '../store/types.ts';
import { STATUS_BATCH_MAX, STATUS_BATCH_MS } from './constants.ts';

export interface StatusQueueComponents {
  readonly store: Store;
  readonly clock: Clock;
}

interface Waiter {
  resolve: () => void;
  reject: (error: unknown) => void;
}

interface Batch {
  readonly statuses: Map<string, TaskStatus>;
  readonly waiters: Waiter[];
}

/** Collects what agents report and writes it together; a reporter waits until it is committed. */
export class StatusQueue {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #appliedBy: string;
  #batch: Batch = newBatch();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(components: StatusQueueComponents, init: { appliedBy: string }) {
    this.#store = components.store;
    this.#clock = components.clock;
    this.#appliedBy = init.appliedBy;
  }

  /** Resolves once all of `updates` are in the store or found outdated. Rejects as the store does. */
  add(updates: readonly TaskStatusUpdate[]): Promise<void> {
    if (this.#stopped) {
      return Promise.reject(new SwarmError('SWM_UNAVAILABLE', 'dispatcher is stopped'));
    }
    const { statuses, waiters } = this.#batch;
    for (const { taskId, status } of updates) {
      if (!status) continue;
      const queued = statuses.get(taskId);
      if (!queued || queued.state <= status.state) statuses.set(taskId, status);
    }
    if (statuses.size >= STATUS_BATCH_MAX) this.#flush();
    else this.#timer ??= this.#clock.setTimer(STATUS_BATCH_MS, () => this.#flush());
    return new Promise((resolve, reject) => waiters.push({ resolve, reject }));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    const error = new SwarmError('SWM_UNAVAILABLE', 'dispatcher is stopped');
    for (const waiter of this.#batch.waiters) waiter.reject(error);
    this.#batch = newBatch();
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { statuses, waiters } = this.#batch;
    this.#batch = newBatch();
    const appliedAt = new Date(this.#clock.now());
    this.#store
      .batch(statuses, (tx, [taskId, status]) => {
        write(tx, taskId, { ...status, appliedBy: this.#appliedBy, appliedAt });
      })
      .then(
        () => waiters.forEach((waiter) => void waiter.resolve()),
        (error) => waiters.forEach((waiter) => void waiter.reject(error)),
      );
  }
}

function newBatch(): Batch {
  return { statuses: new Map(), waiters: [] };
}

/** A task's observed state never goes back, and tasks that are gone are nobody's concern. */
function write(tx: WriteTx, taskId: string, status: TaskStatus): void {
  const task = tx.get('task', taskId);
  if (!task || !advances(task, status)) return;
  tx.update('task', { ...task, status });
}

function advances(task: Task, status: TaskStatus): boolean {
  const old = task.status;
  if (!old) return true;
  if (status.state !== old.state) return status.state > old.state;
  return !sameReport(old, status) && status.state < TaskState.ORPHANED;
}

function sameReport(a: TaskStatus, b: TaskStatus): boolean {
  return (
    a.message === b.message &&
    a.err === b.err &&
    JSON.stringify(a.container) === JSON.stringify(b.container) &&
    JSON.stringify(a.portStatus) === JSON.stringify(b.portStatus)
  );
}
