import { SwarmError } from '../../common/errors.ts';
import { type ManagerApi, unlockKeyNeeded } from '../../manager/index.ts';
import type { SwarmNodeApi } from './node-api.ts';

const NOT_MANAGER = 'This node is not a swarm manager. ';

/** The manager of this node, or the reason why it has none: SWM_NOT_MANAGER or SWM_LOCKED. */
export function requireManager(node: SwarmNodeApi): ManagerApi {
  if (node.manager) return node.manager;
  const { localNodeState, role, error } = node.state();
  if (localNodeState === 'locked') throw unlockKeyNeeded();
  if (localNodeState === 'error') throw new SwarmError('SWM_NOT_MANAGER', NOT_MANAGER + error);
  if (localNodeState === 'inactive' || role === 'none') {
    throw new SwarmError(
      'SWM_NOT_MANAGER',
      `${NOT_MANAGER}Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.`,
    );
  }
  if (role === 'manager') {
    throw new SwarmError(
      'SWM_NOT_MANAGER',
      `${NOT_MANAGER}Manager is being prepared or has trouble connecting to the cluster.`,
      error ? { hint: error } : {},
    );
  }
  throw new SwarmError(
    'SWM_NOT_MANAGER',
    `${NOT_MANAGER}Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.`,
  );
}

export function noSwarm(): SwarmError {
  return new SwarmError('SWM_UNAVAILABLE', 'This node is not part of a swarm');
}

export function alreadyInSwarm(): SwarmError {
  return new SwarmError(
    'SWM_UNAVAILABLE',
    'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
  );
}
