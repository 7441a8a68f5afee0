import type { Node, Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { Commit, ReadTx, StoreChange } from '../store/types.ts';
import { faultKey, NodeInfo } from './node-info.ts';

const LOAD_TASKS = 500;

/** Tasks that are alike and can be placed together. */
export type Group = ReadonlyMap<string, Task>;

/**
 * The scheduler's picture of the cluster: what is on each node and which tasks wait, kept up to date
 * from commits. Tasks between a decision and its commit are on their node already (`inFlight`).
 *
 * Invariant: a task that waits is in exactly one of `groups` and `pinned`, and not in flight.
 */
export class ClusterState {
  readonly nodes = new Map<string, NodeInfo>();
  /** Waiting tasks by service and version of its template. */
  readonly #groups = new Map<string, Map<string, Task>>();
  readonly #groupOf = new Map<string, string>();
  /** Waiting tasks whose node is given. */
  readonly #pinned = new Map<string, Task>();
  /** Tasks that nobody wants any more before they had a place. */
  readonly #obsolete = new Set<string>();
  readonly #inFlight = new Map<string, NodeInfo>();
  /** Groups with tasks that were not tried yet. */
  #fresh = new Set<string>();
  #freshPinned = new Set<string>();
  #retryAll = false;

  /**
   * Starts over from the store, a part at a time: between two parts others may run, and commits may
   * be noted, since each task is taken as it is when its turn comes.
   */
  *load(view: <T>(read: (tx: ReadTx) => T) => T): Iterable<void> {
    this.nodes.clear();
    this.#groups.clear();
    this.#groupOf.clear();
    this.#pinned.clear();
    this.#inFlight.clear();
    const ids = view((tx) => {
      for (const node of tx.all('node')) this.nodes.set(node.id, new NodeInfo(node));
      return Array.from(tx.all('task'), ({ id }) => id);
    });
    for (let at = 0; at < ids.length; at += LOAD_TASKS) {
      yield;
      view((tx) => {
        for (const id of ids.slice(at, at + LOAD_TASKS)) this.#loadTask(tx.get('task', id));
      });
    }
    this.#retryAll = true;
  }

  note({ changes }: Commit): void {
    for (const change of changes) this.#noteChange(change);
  }

  get hasWork(): boolean {
    const waiting = this.#groups.size > 0 || this.#pinned.size > 0;
    const fresh = this.#fresh.size > 0 || this.#freshPinned.size > 0;
    return fresh || this.#obsolete.size > 0 || (this.#retryAll && waiting);
  }

  /** The groups to try now. What is not placed stays and is tried again when that could help. */
  takeGroups(): Group[] {
    const keys = this.#retryAll ? this.#groups.keys() : this.#fresh;
    const groups = Array.from(keys, (key) => this.#groups.get(key) ?? new Map());
    this.#fresh = new Set();
    return groups;
  }

  /** Call after `takeGroups`, with which it shares the reason to try everything again. */
  takePinned(): Task[] {
    const ids = this.#retryAll ? this.#pinned.keys() : this.#freshPinned;
    const tasks = [...ids].flatMap((id) => this.#pinned.get(id) ?? []);
    this.#freshPinned = new Set();
    this.#retryAll = false;
    return tasks;
  }

  takeObsolete(): string[] {
    const ids = [...this.#obsolete];
    this.#obsolete.clear();
    return ids;
  }

  /** A decision was made; it holds until `settled`. */
  decided(taskId: string, info: NodeInfo): void {
    this.#drop(taskId);
    this.#inFlight.set(taskId, info);
  }

  /** The decision is committed. */
  committed(taskId: string): void {
    this.#inFlight.delete(taskId);
  }

  /** The decision came to nothing; `current` is the task as it is, to be tried again if it waits. */
  refused(taskId: string, current: Task | undefined, tryAtOnce: boolean): void {
    this.#inFlight.get(taskId)?.remove(taskId);
    this.#inFlight.delete(taskId);
    if (current) this.#noteTask(current, tryAtOnce ? undefined : current);
  }

  #loadTask(task: Task | undefined): void {
    if (!task) return;
    this.#noteTask(task, undefined);
    if (hasFailed(task)) this.#noteFault(task);
  }

  #noteChange(change: StoreChange): void {
    if (change.kind === 'node') {
      if (change.type === 'remove') this.nodes.delete(change.object.id);
      else this.#noteNode(change.object, change.type === 'update' ? change.old : undefined);
    } else if (change.kind === 'task') {
      if (change.type === 'remove') this.#removeTask(change.object);
      else this.#noteTask(change.object, change.type === 'update' ? change.old : undefined);
    } else if (change.kind === 'volume' || change.kind === 'network') {
      this.#retryAll = true;
    }
  }

  #noteNode(node: Node, old: Node | undefined): void {
    const info = this.nodes.get(node.id);
    if (info) info.node = node;
    else this.nodes.set(node.id, new NodeInfo(node));
    // A load balancer's new address is no reason to try everything again, its loss is one.
    const same =
      old &&
      old.spec === node.spec &&
      old.status === node.status &&
      old.description === node.description &&
      old.attachments.length <= node.attachments.length;
    if (!same) this.#retryAll = true;
  }

  #noteTask(task: Task, old: Task | undefined): void {
    const state = task.status?.state ?? TaskState.NEW;
    if (state === TaskState.PENDING) {
      this.#noteWaiting(task, old);
      return;
    }
    this.#drop(task.id);
    this.#obsolete.delete(task.id);
    if (!task.nodeId) return;
    if (this.nodes.get(task.nodeId)?.put(task)) this.#retryAll = true;
    if (old && hasFailed(task) && !hasFailed(old)) this.#noteFault(task);
  }

  #noteWaiting(task: Task, old: Task | undefined): void {
    if (this.#inFlight.has(task.id)) return;
    if (task.desiredState > TaskState.COMPLETE) {
      this.#drop(task.id);
      if (task.desiredState === TaskState.SHUTDOWN) this.#obsolete.add(task.id);
      return;
    }
    // The reason that was written on a waiting task is no reason to try again.
    const isNew = old?.status?.state !== TaskState.PENDING;
    if (task.nodeId) {
      this.#pinned.set(task.id, task);
      if (isNew) this.#freshPinned.add(task.id);
      return;
    }
    const key = groupKey(task);
    const group = this.#groups.get(key) ?? new Map<string, Task>();
    this.#groups.set(key, group.set(task.id, task));
    this.#groupOf.set(task.id, key);
    if (isNew) this.#fresh.add(key);
  }

  #removeTask(task: Task): void {
    this.#drop(task.id);
    this.#obsolete.delete(task.id);
    if (this.nodes.get(task.nodeId)?.remove(task.id)) this.#retryAll = true;
  }

  /** `taskId` no longer waits. */
  #drop(taskId: string): void {
    this.#pinned.delete(taskId);
    const key = this.#groupOf.get(taskId);
    if (key === undefined) return;
    this.#groupOf.delete(taskId);
    const group = this.#groups.get(key);
    if (group?.delete(taskId) && group.size === 0) this.#groups.delete(key);
  }

  #noteFault(task: Task): void {
    const at = task.status?.timestamp?.getTime() ?? 0;
    this.nodes.get(task.nodeId)?.noteFault(faultKey(task), at);
  }
}

/** Tasks without a version have nothing to be alike by, and are placed one by one. */
function groupKey(task: Task): string {
  return task.specVersion ? faultKey(task) : `/${task.id}`;
}

function hasFailed({ status }: Task): boolean {
  return status?.state === TaskState.FAILED || status?.state === TaskState.REJECTED;
}
