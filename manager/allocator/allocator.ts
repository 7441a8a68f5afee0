import type { Clock } from '../../common/clock.ts';
import { errorMessage, isSwarmError } from '../../common/errors.ts';
import { type Logger, silentLogger } from '../../common/logger.ts';
import type { Startable } from '../../common/startable.ts';
import { TriggerLoop } from '../../common/trigger-loop.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState, type TaskStatus } from '../../proto/gen/swarm/types.ts';
import type { Commit, Store, WriteTx } from '../store/types.ts';
import { Backlog, isNew } from './backlog.ts';
import { AddressesExhausted } from './errors.ts';
import { allocateNetwork } from './network.ts';
import { isAllocated } from './networks.ts';
import { attachNode } from './node.ts';
import { removePositions } from './position.ts';
import { allocateService, isServiceAllocated } from './service.ts';
import { allocateTask } from './task.ts';

const ALLOCATED = 'pending task scheduling';
const WAITING = 'waiting for network resources';
/** Before everything is looked at again, after a pass failed as a whole. */
const RETRY_MS = 1000;

export interface AllocatorComponents {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger?: Logger;
}

/**
 * The leader's loop that gives tasks and nodes their addresses: tasks go from NEW to PENDING here.
 * It has no state but what it still has to look at; every allocation is computed from the store
 * inside the transaction that writes it, so a crash or a change of leader can neither lose an
 * address nor hand it out twice.
 */
export class Allocator implements Startable {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #backlog = new Backlog();
  readonly #loop: TriggerLoop;
  #mustScan = true;
  #unsubscribe: () => void = () => {};

  constructor(components: AllocatorComponents) {
    this.#store = components.store;
    this.#clock = components.clock;
    this.#logger = components.logger ?? silentLogger;
    this.#loop = new TriggerLoop(
      { clock: this.#clock },
      { act: () => this.#pass(), retryMs: RETRY_MS, onFailure: (error) => this.#onFailure(error) },
    );
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#store.subscribe((commit) => this.#onCommit(commit));
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#loop.stop();
  }

  #onCommit(commit: Commit): void {
    this.#mustScan ||= commit.restored;
    if (this.#backlog.note(commit) || this.#mustScan) this.#loop.fire();
  }

  /** The pass has taken work from the backlog that is not done: it is looked for in the store again. */
  #onFailure(error: unknown): void {
    this.#logger.warn({ err: errorMessage(error) }, 'allocation failed, trying again');
    this.#mustScan = true;
  }

  /** Networks before services before tasks, as the later need the earlier. */
  async #pass(): Promise<void> {
    const work = this.#store.view((tx) => {
      if (this.#mustScan) this.#backlog.scan(tx);
      this.#mustScan = false;
      return this.#backlog.take(tx);
    });
    const exhausted = new Map<string, AddressesExhausted>();
    await Promise.all([
      this.#store.batch(work.removedNetworks, (tx, id) => removePositions(tx, id)),
      this.#store.batch(work.networks, (tx, id) => this.#allocateNetwork(tx, id)),
      this.#store.batch(work.services, (tx, id) => this.#allocateService(tx, id)),
      this.#store.batch(work.nodes, (tx, id) => this.#attachNode(tx, id)),
      this.#store.batch(work.tasks, (tx, id) => this.#allocateTask(tx, id, exhausted)),
    ]);
  }

  #allocateNetwork(tx: WriteTx, id: string): void {
    const network = tx.get('network', id);
    if (!network || isAllocated(network)) return;
    try {
      tx.update('network', allocateNetwork(tx, network));
    } catch (error) {
      this.#logger.warn({ network: id, err: errorMessage(error) }, 'network is not allocated');
    }
  }

  #allocateService(tx: WriteTx, id: string): void {
    const service = tx.get('service', id);
    if (!service) return;
    try {
      if (!isServiceAllocated(tx, service)) tx.update('service', allocateService(tx, service));
    } catch (error) {
      this.#logger.warn({ service: id, err: errorMessage(error) }, 'service is not allocated');
    }
  }

  #attachNode(tx: WriteTx, id: string): void {
    try {
      attachNode(tx, id);
    } catch (error) {
      this.#logger.warn({ node: id, err: errorMessage(error) }, 'node is not attached');
    }
  }

  /** `exhausted`: the networks that had no address left for another task of this pass. */
  #allocateTask(tx: WriteTx, id: string, exhausted: Map<string, AddressesExhausted>): void {
    const task = tx.get('task', id);
    if (!task || !isNew(task)) return;
    try {
      for (const { target } of task.spec?.networks ?? []) {
        const known = exhausted.get(target);
        if (known) throw known;
      }
      this.#admit(tx, task);
    } catch (error) {
      if (error instanceof AddressesExhausted) exhausted.set(error.networkId, error);
      if (!isSwarmError(error)) this.#logger.error({ err: error, task: id }, 'allocation failed');
      this.#backlog.wait(id);
      this.#explain(tx, task, errorMessage(error));
    }
  }

  #admit(tx: WriteTx, task: Task): void {
    const allocated = allocateTask(tx, task);
    const status = this.#status(task, TaskState.PENDING, ALLOCATED, '');
    const pending = { ...allocated, status };
    tx.update('task', pending);
    if (!task.nodeId) return;
    try {
      attachNode(tx, task.nodeId);
    } catch (error) {
      tx.update('task', task);
      throw error;
    }
  }

  #explain(tx: WriteTx, task: Task, err: string): void {
    if (task.status?.err === err) return;
    tx.update('task', { ...task, status: this.#status(task, TaskState.NEW, WAITING, err) });
  }

  #status(task: Task, state: TaskState, message: string, err: string): TaskStatus {
    const timestamp = new Date(this.#clock.now());
    return { appliedBy: '', ...task.status, state, message, err, timestamp };
  }
}
