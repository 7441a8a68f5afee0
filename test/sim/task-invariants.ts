import assert from 'node:assert/strict';
import type { StoreChange } from '../../manager/store/types.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';

const { NEW, PENDING, ASSIGNED, ACCEPTED, PREPARING, READY, STARTING, RUNNING } = TaskState;
const { COMPLETE, SHUTDOWN, FAILED, REJECTED, REMOVE, ORPHANED } = TaskState;

/** The states that an agent reports, in their order; reports that come together skip some. */
const AGENT = [ASSIGNED, ACCEPTED, PREPARING, READY, STARTING, RUNNING];
const ENDS = [COMPLETE, SHUTDOWN, FAILED, REJECTED, ORPHANED];

/** From where to where a task may go, whoever moves it. */
function isLegal(from: TaskState, to: TaskState): boolean {
  if (from === NEW) return to === PENDING;
  if (from === PENDING) return to === ASSIGNED || to === SHUTDOWN;
  if (!AGENT.includes(from)) return false;
  return to > from && (AGENT.includes(to) || ENDS.includes(to));
}

/** What the reaper may delete: what holds nothing, or what holds nothing any more. */
function isDeletable(task: Task): boolean {
  const state = stateOf(task);
  return ENDS.includes(state) || (state < ASSIGNED && task.desiredState > COMPLETE);
}

/** Throws when a change of a task is none that its owners make. */
export function assertLegal(change: StoreChange & { kind: 'task' }): void {
  const { object } = change;
  const name = `task ${object.id}`;
  const state = stateOf(object);
  assert.notEqual(state, REMOVE, `${name} is observed REMOVE`);
  if (state >= ASSIGNED && state !== SHUTDOWN) assert.ok(object.nodeId, `${name} has no node`);
  if (change.type === 'create') assert.equal(state, NEW, `${name} was created ${TaskState[state]}`);
  if (change.type === 'remove') {
    assert.ok(isDeletable(object), `${name} was deleted in ${TaskState[state]}`);
  }
  if (change.type !== 'update') return;
  const { old } = change;
  if (old.nodeId) assert.equal(object.nodeId, old.nodeId, `${name} moved to another node`);
  assert.ok(object.desiredState >= old.desiredState, `${name} is wanted less than before`);
  assert.equal(object.slot, old.slot, `${name} changed its slot`);
  const from = stateOf(old);
  const move = `${TaskState[from]} to ${TaskState[state]}`;
  if (from !== state) assert.ok(isLegal(from, state), `${name} went from ${move}`);
}

function stateOf(task: Task): TaskState {
  return task.status?.state ?? NEW;
}
