import type { KeyRotation } from '../../proto/gen/swarm/control.ts';
import type { Cluster, RootCA } from '../../proto/gen/swarm/objects.ts';
import type { ClusterSpec } from '../../proto/gen/swarm/specs.ts';
import { certificateDigest, generateJoinToken, newUnlockKey } from '../ca/index.ts';
import { atVersion, type ControlContext, requireObject, writeObject } from './control-context.ts';
import { validateCluster, validateRotation } from './validate-cluster.ts';

/**
 * Replaces the spec of the cluster and makes new tokens and keys where `rotation` asks for them. The
 * managers lock and unlock what they have on disk when they see what is written here.
 * Throws SWM_INVALID_ARGUMENT, SWM_FAILED_PRECONDITION, SWM_OUT_OF_SEQUENCE, SWM_NOT_IMPLEMENTED.
 */
export async function updateCluster(
  context: ControlContext,
  version: number,
  spec: ClusterSpec,
  rotation: KeyRotation,
): Promise<Cluster> {
  validateCluster(spec);
  validateRotation(rotation, spec);
  return writeObject(context, 'cluster', (tx) => {
    const cluster = requireObject(tx, 'cluster', context.clusterId);
    const rootCa = cluster.rootCa && rotated(context, cluster.rootCa, rotation);
    const unlockKeys = nextUnlockKeys(context, cluster, spec, rotation);
    const updated = atVersion({ ...cluster, spec, rootCa, unlockKeys }, version);
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

/** None while managers are not locked, so that locking them again takes a new key. */
function nextUnlockKeys(
  { random }: ControlContext,
  { unlockKeys }: Cluster,
  spec: ClusterSpec,
  rotation: KeyRotation,
): Cluster['unlockKeys'] {
  if (!spec.encryptionConfig?.autoLockManagers) return [];
  if (unlockKeys.length > 0 && !rotation.managerUnlockKey) return unlockKeys;
  return [newUnlockKey(random)];
}
