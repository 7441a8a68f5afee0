import type { Clock, Timer } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import { type Pacing, Slices } from '../../common/slices.ts';
import type { Startable } from '../../common/startable.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { Commit, ReadTx, Store } from '../store/types.ts';
import { hasEnded, isRunnable, slotKey, stateOf } from './facts.ts';
import { reapSlot } from './reap.ts';

export interface TaskReaperComponents extends Pacing {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

const BATCH_MS = 250;
const RETRY_MS = 1_000;

/** Deletes tasks that nobody needs any more: see `reapSlot`. Tasks of one service go together. */
export class TaskReaper implements Startable {
  readonly #components: TaskReaperComponents;
  readonly #dirty = new Set<string>();
  #timer: Timer | undefined;
  #unsubscribe: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(components: TaskReaperComponents) {
    this.#components = components;
  }

  async start(): Promise<void> {
    const { store } = this.#components;
    this.#unsubscribe = store.subscribe((commit) => this.#onCommit(commit));
    this.#noteAll();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    this.#timer?.cancel();
    await this.#running;
  }

  #onCommit({ changes, restored }: Commit): void {
    if (restored) this.#noteAll();
    for (const change of changes) {
      if (change.kind === 'task' && change.type !== 'remove' && !isRunnable(change.object)) {
        this.#note(change.object.serviceId);
      } else if (change.kind === 'task' && change.type === 'update' && hasEnded(change.object)) {
        this.#note(change.object.serviceId);
      } else if (
        change.kind === 'cluster' ||
        (change.kind === 'node' && change.type === 'remove')
      ) {
        this.#noteAll();
      } else if (change.kind === 'service' && change.type === 'remove')
        this.#note(change.object.id);
    }
  }

  #noteAll(): void {
    const ids = this.#components.store.view((tx) =>
      Array.from(tx.all('task'), ({ serviceId }) => serviceId),
    );
    for (const id of ids) this.#note(id);
  }

  #note(serviceId: string): void {
    this.#dirty.add(serviceId);
    this.#later(BATCH_MS);
  }

  #later(ms: number): void {
    if (this.#stopped) return;
    this.#timer ??= this.#components.clock.setTimer(ms, () => {
      this.#timer = undefined;
      this.#running = this.#running.then(() => this.#reap());
    });
  }

  async #reap(): Promise<void> {
    const { store, logger } = this.#components;
    const serviceIds = [...this.#dirty];
    this.#dirty.clear();
    try {
      const doomed = await this.#select(serviceIds);
      await store.batch(doomed, (tx, { id, desiredState }) => {
        const task = tx.get('task', id);
        // Desired states never go back, so what was decided still holds unless the task changed hands.
        if (task && task.desiredState >= desiredState) tx.remove('task', id);
      });
    } catch (error) {
      if (this.#stopped) return;
      logger.warn({ err: errorMessage(error) }, 'tasks not reaped, trying again');
      for (const id of serviceIds) this.#dirty.add(id);
      this.#later(RETRY_MS);
    }
  }

  async #select(serviceIds: readonly string[]): Promise<Task[]> {
    const slices = new Slices(this.#components, 'task reaper');
    const doomed: Task[] = [];
    for (const id of serviceIds) {
      for (const task of this.#components.store.view((tx) => reapService(tx, id)))
        doomed.push(task);
      if (slices.isUsedUp) await slices.next();
    }
    return doomed;
  }
}

function reapService(tx: ReadTx, serviceId: string): Task[] {
  if (serviceId === '') return reapAttachments(tx);
  const service = tx.get('service', serviceId);
  const [cluster] = tx.all('cluster');
  const slots = new Map<string, Task[]>();
  for (const task of tx.find('task', { serviceId })) {
    const key = service ? slotKey(service, task) : `${task.slot}/${task.nodeId}`;
    slots.set(key, [...(slots.get(key) ?? []), task]);
  }
  const node = (id: string) => tx.get('node', id);
  return [...slots.values()].flatMap((tasks) => reapSlot({ service, cluster, tasks, node }));
}

/** The attachment of a container whose node is given up serves nobody. */
function reapAttachments(tx: ReadTx): Task[] {
  return [...tx.all('task')].filter((task) => {
    if (task.serviceId !== '') return false;
    const removed = task.desiredState === TaskState.REMOVE && !isHeld(task);
    return removed || stateOf(task) === TaskState.ORPHANED;
  });
}

function isHeld(task: Task): boolean {
  return stateOf(task) >= TaskState.ASSIGNED && !hasEnded(task);
}
