import { SwarmError } from '../../common/errors.ts';
import type { ObjectTypes, ReadTx } from '../../manager/index.ts';

export { resolveObject as lookUp } from '../../manager/index.ts';

/** The swarm's only cluster object. */
export function clusterOf(tx: ReadTx): ObjectTypes['cluster'] {
  for (const cluster of tx.all('cluster')) return cluster;
  throw new SwarmError('SWM_UNAVAILABLE', 'the swarm has no cluster object yet');
}
