import type { KeyRotation } from '../../proto/gen/swarm/control.ts';
import type { Cluster, RootCA } from '../../proto/gen/swarm/objects.ts';
import type { ClusterSpec } from '../../proto/gen/swarm/specs.ts';
import { certificateDigest, generateJoinToken, newUnlockKey, nextRootCa } from '../ca/index.ts';
import { outOfSequence } from '../store/errors.ts';
import { type ControlContext, refuseStale, requireObject, writeObject } from './control-context.ts';
import { validateCluster, validateRotation } from './validate-cluster.ts';

/**
 * Replaces the spec of the cluster and makes new tokens and keys where `rotation` asks for them. The
 * managers lock and unlock what they have on disk when they see what is written here, and the leader
 * carries out the rotation of the root CA that the spec may ask for.
 * Throws SWM_INVALID_ARGUMENT, SWM_FAILED_PRECONDITION, SWM_OUT_OF_SEQUENCE.
 */
export async function updateCluster(
  context: ControlContext,
  version: number,
  spec: ClusterSpec,
  rotation: KeyRotation,
): Promise<Cluster> {
  validateCluster(spec);
  validateRotation(rotation, spec);
  const seen = context.store.view((tx) => requireObject(tx, 'cluster', context.clusterId));
  const nextRoot = await nextRootCa(context, seen, spec);
  return writeObject(context, 'cluster', (tx) => {
    const cluster = requireObject(tx, 'cluster', context.clusterId);
    refuseStale(cluster, version);
    // What was made from an older root must not take the place of a newer one.
    if (nextRoot && cluster.rootCa !== seen.rootCa) throw outOfSequence();
    const root = nextRoot ?? cluster.rootCa;
    const rootCa = root && rotated(context, root, rotation);
    const unlockKeys = nextUnlockKeys(context, cluster, spec, rotation);
    const kept = withoutSigningKey(spec, rootCa?.lastForcedRotation ?? 0);
    const updated = { ...cluster, spec: kept, rootCa, unlockKeys };
    tx.update('cluster', updated);
    return updated;
  });
}

/** The root that a spec brings is in the cluster's root then, and its key nowhere else. */
function withoutSigningKey(spec: ClusterSpec, forceRotate: number): ClusterSpec {
  if (!spec.caConfig) return spec;
  const none = Buffer.alloc(0);
  const caConfig = { ...spec.caConfig, signingCaCert: none, signingCaKey: none, forceRotate };
  return { ...spec, caConfig };
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
