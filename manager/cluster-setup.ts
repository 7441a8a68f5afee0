import type { Clock } from '../common/clock.ts';
import { msToDuration } from '../common/duration.ts';
import { SwarmError } from '../common/errors.ts';
import { newId } from '../common/ids.ts';
import type { Random } from '../common/random.ts';
import { Cluster, Network, Node } from '../proto/gen/swarm/objects.ts';
import {
  type ClusterSpec,
  NetworkSpec,
  NodeSpec_Availability,
  NodeSpec_Membership,
} from '../proto/gen/swarm/specs.ts';
import { IssuanceState, NodeRole } from '../proto/gen/swarm/types.ts';
import { allocateNetwork } from './allocator/network.ts';
import { generateJoinToken, newUnlockKey } from './ca/index.ts';
import { PREDEFINED_LABEL } from './control/index.ts';
import type { BootstrapMode, ManagerSecurity } from './manager-init.ts';
import type { WriteTx } from './store/types.ts';

const HOUR_MS = 3_600_000;
const DEFAULT_POOL = '10.0.0.0/8';
const DEFAULT_SUBNET_SIZE = 24;
const DEFAULT_DATA_PATH_PORT = 4789;
const PREDEFINED_NETWORKS = ['bridge', 'host'];

export interface ClusterSetup {
  readonly clock: Clock;
  readonly random: Random;
  readonly securityConfig: ManagerSecurity;
  /** Set in the process that begins the cluster. */
  readonly bootstrap: BootstrapMode | undefined;
}

/**
 * What a leader makes sure of before it does anything else: on a fresh cluster the cluster object and
 * the ingress network (the first, so that it gets the first subnet and VXLAN id), and always its own
 * node and the predefined networks. Changes nothing when all is there.
 */
export function setUpCluster(tx: WriteTx, setup: ClusterSetup): void {
  const { clusterId } = setup.securityConfig.identity;
  if (!tx.get('cluster', clusterId)) {
    tx.create('cluster', newCluster(setup));
    createNetwork(tx, setup, NetworkSpec.fromPartial({ annotations: INGRESS, ingress: true }));
  }
  ensureOwnNode(tx, setup);
  for (const name of PREDEFINED_NETWORKS) {
    if (tx.find('network', { name }).length > 0) continue;
    const annotations = { name, labels: { [PREDEFINED_LABEL]: 'true' } };
    createNetwork(tx, setup, NetworkSpec.fromPartial({ annotations, driverConfig: { name } }));
  }
}

const INGRESS = { name: 'ingress' };

function newCluster(setup: ClusterSetup): Cluster {
  const { bootstrap, random, securityConfig } = setup;
  const { rootCa } = securityConfig;
  if (!bootstrap || !rootCa.keyPem) {
    throw new SwarmError('SWM_INTERNAL', 'the cluster of this manager was never set up whole', {
      hint: 'Leave it with "swarmctl leave --force" and begin a new one.',
    });
  }
  const { digest, certificatePem, keyPem } = rootCa;
  return Cluster.fromPartial({
    id: securityConfig.identity.clusterId,
    spec: completeSpec(bootstrap.spec),
    rootCa: {
      caCert: Buffer.from(certificatePem),
      caKey: Buffer.from(keyPem),
      lastForcedRotation: bootstrap.spec.caConfig?.forceRotate ?? 0,
      caCertHash: `sha256:${digest.toString('hex')}`,
      joinTokens: {
        worker: generateJoinToken(digest, random),
        manager: generateJoinToken(digest, random),
      },
    },
    unlockKeys: bootstrap.spec.encryptionConfig?.autoLockManagers ? [newUnlockKey(random)] : [],
    defaultAddressPool:
      bootstrap.defaultAddressPool.length > 0 ? bootstrap.defaultAddressPool : [DEFAULT_POOL],
    subnetSize: bootstrap.subnetSize || DEFAULT_SUBNET_SIZE,
    vxlanUdpPort: bootstrap.dataPathPort || DEFAULT_DATA_PATH_PORT,
  });
}

/** Docker's defaults for what `spec` leaves open. */
export function completeSpec(spec: ClusterSpec): ClusterSpec {
  const { raft } = spec;
  return {
    ...spec,
    annotations: { labels: {}, indices: [], ...spec.annotations, name: 'default' },
    orchestration: spec.orchestration ?? { taskHistoryRetentionLimit: 5 },
    dispatcher: {
      heartbeatPeriod: spec.dispatcher?.heartbeatPeriod ?? msToDuration(5_000),
    },
    raft: {
      snapshotInterval: raft?.snapshotInterval || 10_000,
      keepOldSnapshots: raft?.keepOldSnapshots ?? 0,
      logEntriesForSlowFollowers: raft?.logEntriesForSlowFollowers || 500,
      heartbeatTick: raft?.heartbeatTick || 1,
      electionTick: raft?.electionTick || 10,
    },
    caConfig: {
      externalCas: [],
      signingCaCert: Buffer.alloc(0),
      signingCaKey: Buffer.alloc(0),
      forceRotate: 0,
      ...spec.caConfig,
      nodeCertExpiry: spec.caConfig?.nodeCertExpiry ?? msToDuration(2160 * HOUR_MS),
    },
  };
}

function ensureOwnNode(tx: WriteTx, { securityConfig, bootstrap }: ClusterSetup): void {
  const { nodeId: id } = securityConfig.identity;
  if (tx.get('node', id)) return;
  const role = NodeRole.MANAGER;
  const node = Node.fromPartial({
    id,
    role,
    spec: {
      annotations: {},
      desiredRole: role,
      membership: NodeSpec_Membership.ACCEPTED,
      availability: bootstrap?.availability ?? NodeSpec_Availability.ACTIVE,
    },
    certificate: {
      role,
      cn: id,
      status: { state: IssuanceState.ISSUED },
      certificate: Buffer.from(securityConfig.certificatePem),
    },
    status: {},
  });
  tx.create('node', node);
}

function createNetwork(tx: WriteTx, { random }: ClusterSetup, spec: NetworkSpec): void {
  const network = { ...Network.fromPartial({ id: newId(random) }), spec };
  tx.create('network', network);
  const meta = tx.get('network', network.id)?.meta;
  tx.update('network', { ...allocateNetwork(tx, network), meta });
}
