import { isDeepStrictEqual } from 'node:util';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import type { WriteTx } from '../store/types.ts';
import type { Action } from './plan.ts';

/** Carries out one action of a plan, unless what it was decided upon is not so any more. */
export function applyAction(tx: WriteTx, action: Action): void {
  switch (action.kind) {
    case 'create':
      if (tx.get('service', action.task.serviceId)) tx.create('task', action.task);
      break;
    case 'desire': {
      const task = tx.get('task', action.taskId);
      if (!task || task.desiredState >= action.state) return;
      // Nothing that was told to end is started.
      if (action.state <= TaskState.COMPLETE && task.desiredState !== TaskState.READY) return;
      tx.update('task', { ...task, desiredState: action.state });
      break;
    }
    case 'remove':
      if (tx.get('task', action.taskId)) tx.remove('task', action.taskId);
      break;
    case 'service': {
      const service = tx.get('service', action.base.id);
      if (!service || !isDeepStrictEqual(decidedOn(service), decidedOn(action.base))) return;
      tx.update('service', { ...service, ...action.change });
      break;
    }
  }
}

function decidedOn({
  specVersion,
  updateStatus,
}: {
  specVersion?: unknown;
  updateStatus?: unknown;
}) {
  return { specVersion, updateStatus };
}
