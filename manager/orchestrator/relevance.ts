import { isDeepStrictEqual } from 'node:util';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { StoreChange } from '../store/types.ts';
import { stateOf } from './facts.ts';

/** Which changes can make a decision come out differently. The rest, most of them, is progress. */

export function concernsTask(change: StoreChange & { kind: 'task' }): boolean {
  if (change.type === 'remove') return true;
  // The orchestrators alone create tasks; a service's other tasks need not be looked at for it.
  if (change.type === 'create') return false;
  const { object, old } = change;
  if (object.desiredState !== old.desiredState) return true;
  return stateOf(object) !== stateOf(old) && stateOf(object) >= TaskState.RUNNING;
}

export function concernsNode(change: StoreChange & { kind: 'node' }): boolean {
  if (change.type !== 'update') return true;
  const { object, old } = change;
  return (
    object.status?.state !== old.status?.state ||
    object.status?.addr !== old.status?.addr ||
    object.role !== old.role ||
    !isDeepStrictEqual(object.spec, old.spec) ||
    !isDeepStrictEqual(object.description, old.description)
  );
}
