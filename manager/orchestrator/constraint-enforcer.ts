import type { Clock } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import { type Pacing, Slices } from '../../common/slices.ts';
import type { Startable } from '../../common/startable.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { Commit, ReadTx, Store } from '../store/types.ts';
import { misplacedTasks } from './misplaced.ts';
import { concernsNode } from './relevance.ts';

export interface ConstraintEnforcerComponents extends Pacing {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Takes tasks off nodes that do not suit them any more, because the labels, the role or the size of
 * the node changed after they were placed. Their orchestrator replaces them elsewhere.
 */
export class ConstraintEnforcer implements Startable {
  readonly #components: ConstraintEnforcerComponents;
  #unsubscribe: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(components: ConstraintEnforcerComponents) {
    this.#components = components;
  }

  async start(): Promise<void> {
    const { store } = this.#components;
    this.#unsubscribe = store.subscribe((commit) => this.#onCommit(commit));
    this.#enforce(store.view((tx) => Array.from(tx.all('node'), ({ id }) => id)));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    await this.#running;
  }

  #onCommit({ changes }: Commit): void {
    const nodeIds = changes.flatMap((change) =>
      change.kind === 'node' && change.type === 'update' && concernsNode(change)
        ? [change.object.id]
        : [],
    );
    if (nodeIds.length > 0) this.#enforce(nodeIds);
  }

  #enforce(nodeIds: readonly string[]): void {
    this.#running = this.#running.then(() => this.#reject(nodeIds));
  }

  async #reject(nodeIds: readonly string[]): Promise<void> {
    if (this.#stopped) return;
    const { store, clock, logger } = this.#components;
    const misplaced = await this.#find(nodeIds);
    try {
      await store.batch(misplaced, (tx, { id }) => {
        const task = tx.get('task', id);
        if (!task?.status || task.status.state >= TaskState.COMPLETE) return;
        const now = new Date(clock.now());
        const status = {
          ...task.status,
          state: TaskState.REJECTED,
          timestamp: now,
          appliedAt: now,
          message: 'task rejected by constraint enforcer',
          err: 'assigned node no longer meets constraints',
        };
        tx.update('task', { ...task, status });
      });
    } catch (error) {
      if (!this.#stopped) logger.warn({ err: errorMessage(error) }, 'constraints not enforced');
    }
  }

  async #find(nodeIds: readonly string[]): Promise<Task[]> {
    const slices = new Slices(this.#components, 'constraint enforcer');
    const found: Task[] = [];
    for (const id of nodeIds) {
      for (const task of this.#components.store.view((tx) => misplacedOn(tx, id))) found.push(task);
      if (slices.isUsedUp) await slices.next();
    }
    return found;
  }
}

function misplacedOn(tx: ReadTx, nodeId: string): Task[] {
  const node = tx.get('node', nodeId);
  if (!node) return [];
  return misplacedTasks(node, tx.find('task', { nodeId }), (id) => tx.get('service', id));
}
