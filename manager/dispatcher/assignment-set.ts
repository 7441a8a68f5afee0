import { isDeepStrictEqual } from 'node:util';
import {
  AssignmentChange_AssignmentAction as Action,
  type Assignment,
  type AssignmentChange,
} from '../../proto/gen/swarm/dispatcher.ts';
import { Config, Secret, type Task } from '../../proto/gen/swarm/objects.ts';
import { ResourceType } from '../../proto/gen/swarm/specs.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { ReadTx } from '../store/types.ts';

type DependencyKind = 'secret' | 'config';

interface Dependency {
  readonly kind: DependencyKind;
  readonly id: string;
}

/**
 * What one node has been told to run, and hence what it has to be told next. Secrets and configs go
 * with the first live task that refers to them and are taken back with the last.
 */
export class AssignmentSet {
  readonly #nodeId: string;
  readonly #sent = new Map<string, Task>();
  /** `kind/id` of a dependency to the tasks that hold it. */
  readonly #holders = new Map<string, Set<string>>();

  constructor(nodeId: string) {
    this.#nodeId = nodeId;
  }

  /** The changes that bring the node to what `tx` says of the tasks `taskIds`. */
  reconcile(tx: ReadTx, taskIds: Iterable<string>): AssignmentChange[] {
    const changes: AssignmentChange[] = [];
    for (const taskId of taskIds) {
      const task = tx.get('task', taskId);
      if (task && belongsTo(this.#nodeId, task)) this.#assign(tx, task, changes);
      else this.#withdraw(taskId, changes);
    }
    return changes;
  }

  #assign(tx: ReadTx, task: Task, changes: AssignmentChange[]): void {
    const sent = this.#sent.get(task.id);
    if (isLive(task)) this.#hold(tx, task, changes);
    else this.#release(task.id, changes);
    this.#sent.set(task.id, task);
    // The node is where status comes from: it need not hear its own words again.
    if (sent && sameOrder(sent, task)) return;
    changes.push(change(Action.UPDATE, { $case: 'task', task }));
  }

  #withdraw(taskId: string, changes: AssignmentChange[]): void {
    const task = this.#sent.get(taskId);
    if (!task) return;
    this.#sent.delete(taskId);
    changes.push(change(Action.REMOVE, { $case: 'task', task }));
    this.#release(taskId, changes);
  }

  #hold(tx: ReadTx, task: Task, changes: AssignmentChange[]): void {
    for (const { kind, id } of dependenciesOf(task)) {
      const key = `${kind}/${id}`;
      const holders = this.#holders.get(key);
      if (holders) {
        holders.add(task.id);
        continue;
      }
      const item = find(tx, kind, id);
      // Not held, so that a later task of the node that refers to it looks again.
      if (!item) continue;
      this.#holders.set(key, new Set([task.id]));
      changes.push(change(Action.UPDATE, item));
    }
  }

  #release(taskId: string, changes: AssignmentChange[]): void {
    for (const [key, holders] of this.#holders) {
      if (!holders.delete(taskId) || holders.size > 0) continue;
      this.#holders.delete(key);
      const [kind, id] = key.split('/') as [DependencyKind, string];
      changes.push(change(Action.REMOVE, empty(kind, id)));
    }
  }

  /** For logs and tests: one line per task and per dependency with its holders. */
  describe(): string {
    const tasks = [...this.#sent.values()].map(
      (task) => `task ${task.id} desired ${TaskState[task.desiredState]}`,
    );
    const dependencies = [...this.#holders].map(([key, by]) => `${key} held by ${[...by].sort()}`);
    return [...tasks.sort(), ...dependencies.sort()].join('\n');
  }
}

/** Tasks are the node's business from ASSIGNED until the manager deletes them. */
export function belongsTo(nodeId: string, task: Task): boolean {
  return task.nodeId === nodeId && stateOf(task) >= TaskState.ASSIGNED;
}

function stateOf(task: Task): TaskState {
  return task.status?.state ?? TaskState.NEW;
}

function isLive(task: Task): boolean {
  return stateOf(task) <= TaskState.RUNNING;
}

/** The same order to the node: equal in all but what the node itself reports. */
function sameOrder(a: Task, b: Task): boolean {
  if (a === b) return true;
  if (a.desiredState !== b.desiredState) return false;
  const keys = Object.keys(a) as (keyof Task)[];
  return keys.every(
    (key) =>
      key === 'status' || key === 'meta' || a[key] === b[key] || isDeepStrictEqual(a[key], b[key]),
  );
}

function dependenciesOf(task: Task): Dependency[] {
  const runtime = task.spec?.runtime;
  const found: Dependency[] = [];
  if (runtime?.$case === 'container') {
    const { secrets, configs, privileges } = runtime.container;
    for (const { secretId } of secrets) found.push({ kind: 'secret', id: secretId });
    for (const { configId } of configs) found.push({ kind: 'config', id: configId });
    const source = privileges?.credentialSpec?.source;
    if (source?.$case === 'config') found.push({ kind: 'config', id: source.config });
  }
  for (const { resourceId: id, resourceType } of task.spec?.resourceReferences ?? []) {
    if (resourceType === ResourceType.SECRET) found.push({ kind: 'secret', id });
    if (resourceType === ResourceType.CONFIG) found.push({ kind: 'config', id });
  }
  return found;
}

function find(tx: ReadTx, kind: DependencyKind, id: string): Assignment['item'] {
  if (kind === 'secret') {
    const secret = tx.get('secret', id);
    return secret && { $case: 'secret', secret };
  }
  const config = tx.get('config', id);
  return config && { $case: 'config', config };
}

function empty(kind: DependencyKind, id: string): Assignment['item'] {
  return kind === 'secret'
    ? { $case: 'secret', secret: Secret.fromPartial({ id }) }
    : { $case: 'config', config: Config.fromPartial({ id }) };
}

function change(action: Action, item: Assignment['item']): AssignmentChange {
  return { action, assignment: { item } };
}
