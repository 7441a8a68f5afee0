import { SwarmError } from './errors.ts';

/** What a node hears from every manager once it was removed from the swarm. */
export function removedFromSwarm(nodeId: string): SwarmError {
  const message = `Permission denied: node ${nodeId} was removed from swarm`;
  return new SwarmError('SWM_PERMISSION_DENIED', message);
}

/** Whether this is what `removedFromSwarm` says, as it comes over a wire. */
export function saysRemovedFromSwarm(message: string): boolean {
  return /^Permission denied: node \S+ was removed from swarm$/.test(message);
}
