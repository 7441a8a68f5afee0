import type { KeyRotation } from '../../proto/gen/swarm/control.ts';
import type { Cluster, RootCA } from '../../proto/gen/swarm/objects.ts';
import type { ClusterSpec } from '../../proto/gen/swarm/specs.ts';
import { certificateDigest, generateJoinToken } from '../ca/index.ts';
import { atVersion, type ControlContext, requireObject, writeObject } from './control-context.ts';
import { validateCluster, validateRotation } from './validate-cluster.ts';

/**
 * Replaces the spec of the cluster and makes new join tokens where `rotation` asks for them.
 * Throws SWM_INVALID_ARGUMENT, SWM_OUT_OF_SEQUENCE, SWM_NOT_IMPLEMENTED.
 */
export async function updateCluster(
  context: ControlContext,
  version: number,
  spec: ClusterSpec,
  rotation: KeyRotation,
): Promise<Cluster> {
  validateCluster(spec);
  validateRotation(rotation);
  return writeObject(context, 'cluster', (tx) => {
    const cluster = requireObject(tx, 'cluster', context.clusterId);
    const rootCa = cluster.rootCa && rotated(context, cluster.rootCa, rotation);
    const updated = atVersion({ ...cluster, spec, rootCa }, version);
    tx.update('cluster', updated);
    return updated;
  });
}

function rotated(context: ControlContext, rootCa: RootCA, rotation: KeyRotation): RootCA {
  const fresh = () =>
    generateJoinToken(certificateDigest(rootCa.caCert.toString()), context.random);
  const { worker = '', manager = '' } = rootCa.joinTokens ?? {};
  return {
    ...rootCa,
    joinTokens: {
      worker: rotation.workerJoinToken ? fresh() : worker,
      manager: rotation.managerJoinToken ? fresh() : manager,
    },
  };
}
