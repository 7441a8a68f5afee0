import type { Node, Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { Commit, ReadTx, StoreChange } from '../store/types.ts';
import { isAllocated, isIngress } from './networks.ts';
import { positionedNetworks } from './position.ts';

/** What the allocator has to look at, as sets of ids. */
export interface Work {
  readonly networks: ReadonlySet<string>;
  readonly services: ReadonlySet<string>;
  readonly tasks: ReadonlySet<string>;
  readonly nodes: ReadonlySet<string>;
  /** Networks that are gone and may have left a position. */
  readonly removedNetworks: ReadonlySet<string>;
}

/**
 * Turns commits into work. Tasks that could not be allocated are put aside and come back when
 * anything that they might wait for changes; what that is, is in the store, so that no timer is
 * needed.
 */
export class Backlog {
  #networks = new Set<string>();
  #services = new Set<string>();
  #tasks = new Set<string>();
  #nodes = new Set<string>();
  #removedNetworks = new Set<string>();
  readonly #waiting = new Set<string>();
  #retry = false;
  #allNodes = false;

  /** Everything in the store that is not as it should be. */
  scan(tx: ReadTx): void {
    for (const network of tx.all('network')) {
      if (!isAllocated(network)) this.#networks.add(network.id);
    }
    for (const { id } of tx.all('service')) this.#services.add(id);
    for (const task of tx.all('task')) if (isNew(task)) this.#tasks.add(task.id);
    for (const id of positionedNetworks(tx)) {
      if (!tx.get('network', id)) this.#removedNetworks.add(id);
    }
    this.#allNodes = true;
  }

  /** True when there is now something to do. */
  note({ changes }: Commit): boolean {
    for (const change of changes) this.#noteChange(change);
    return !this.isEmpty;
  }

  get isEmpty(): boolean {
    const sets = [this.#networks, this.#services, this.#tasks, this.#nodes, this.#removedNetworks];
    const retries = this.#retry && this.#waiting.size > 0;
    return !this.#allNodes && !retries && sets.every(({ size }) => size === 0);
  }

  /** Puts a task aside until something changes. */
  wait(taskId: string): void {
    this.#waiting.add(taskId);
  }

  take(tx: ReadTx): Work {
    const retried = this.#retry ? this.#waiting : [];
    const all = this.#allNodes ? Array.from(tx.all('node'), ({ id }) => id) : [];
    const work = {
      networks: this.#networks,
      services: this.#services,
      tasks: new Set([...retried, ...this.#tasks]),
      nodes: new Set([...all, ...this.#nodes]),
      removedNetworks: this.#removedNetworks,
    };
    this.#networks = new Set();
    this.#services = new Set();
    this.#tasks = new Set();
    this.#nodes = new Set();
    this.#removedNetworks = new Set();
    if (this.#retry) this.#waiting.clear();
    this.#retry = false;
    this.#allNodes = false;
    return work;
  }

  #noteChange(change: StoreChange): void {
    const { id } = change.object;
    switch (change.kind) {
      case 'network':
        this.#retry = true;
        if (change.type === 'remove') this.#removedNetworks.add(id);
        else if (!isAllocated(change.object)) this.#networks.add(id);
        if (isIngress(change.object) || change.type === 'remove') this.#allNodes = true;
        break;
      case 'service':
        this.#retry = true;
        if (change.type !== 'remove') this.#services.add(id);
        break;
      case 'task':
        this.#noteTask(change.object, change.type === 'update' ? change.old : undefined);
        if (change.type === 'remove') this.#noteEnd(change.object);
        break;
      case 'node':
        if (change.type === 'create') this.#nodes.add(id);
        else if (change.type === 'remove' || freedAddress(change.old, change.object)) {
          this.#retry = true;
        }
        break;
      default:
    }
  }

  #noteTask(task: Task, old: Task | undefined): void {
    if (isNew(task)) {
      // The reason that was written on a waiting task is no reason to try again.
      if (!this.#waiting.has(task.id)) this.#tasks.add(task.id);
      return;
    }
    this.#waiting.delete(task.id);
    if (old && !hasEnded(old) && hasEnded(task)) this.#noteEnd(task);
  }

  #noteEnd(task: Task): void {
    this.#tasks.delete(task.id);
    this.#waiting.delete(task.id);
    if (task.networks.length === 0) return;
    this.#retry = true;
    if (task.nodeId) this.#nodes.add(task.nodeId);
  }
}

export function isNew({ status, desiredState }: Task): boolean {
  return (status?.state ?? TaskState.NEW) === TaskState.NEW && desiredState <= TaskState.COMPLETE;
}

function hasEnded({ status }: Task): boolean {
  return (status?.state ?? TaskState.NEW) > TaskState.RUNNING;
}

function freedAddress(old: Node, node: Node): boolean {
  return old.attachments.some(
    ({ network }) => !node.attachments.some((held) => held.network?.id === network?.id),
  );
}
