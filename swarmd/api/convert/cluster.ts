import { durationNs, msToDuration, nsToDuration } from '../../../common/duration.ts';
import { trustBundleOf, wantedIssuer } from '../../../manager/index.ts';
import type { Cluster } from '../../../proto/gen/swarm/objects.ts';
import {
  type ClusterSpec,
  type ExternalCA,
  ExternalCA_CAProtocol as Protocol,
} from '../../../proto/gen/swarm/specs.ts';
import type { JsonReader } from '../http/json-reader.ts';
import {
  annotationsFromApi,
  annotationsToApi,
  driverFromApi,
  driverToApi,
  durationToApi,
  metaToApi,
  nonEmptyList,
  nonEmptyMap,
  nonZero,
  optional,
  words,
} from './common.ts';

const protocols = words({ cfssl: Protocol.CFSSL });

/** `ClusterInfo` of GET /info: everything about the swarm but its tokens and keys. */
export function clusterToApi(cluster: Cluster) {
  return {
    ID: cluster.id,
    ...metaToApi(cluster.meta),
    Spec: clusterSpecToApi(cluster.spec ?? defaultClusterSpec),
    TLSInfo: trustToApi(cluster),
    RootRotationInProgress: cluster.rootCa?.rootRotation !== undefined,
    DefaultAddrPool: cluster.defaultAddressPool,
    SubnetSize: cluster.subnetSize,
    DataPathPort: cluster.vxlanUdpPort,
  };
}

/** GET /swarm, which shows the join tokens as well. */
export function swarmToApi(cluster: Cluster) {
  const tokens = cluster.rootCa?.joinTokens;
  return {
    ...clusterToApi(cluster),
    JoinTokens: { Worker: tokens?.worker ?? '', Manager: tokens?.manager ?? '' },
  };
}

/** The signing certificate and key are never shown. */
export function clusterSpecToApi(spec: ClusterSpec) {
  const { orchestration, raft, dispatcher, caConfig, taskDefaults } = spec;
  return {
    ...annotationsToApi(spec.annotations),
    Orchestration: { TaskHistoryRetentionLimit: orchestration?.taskHistoryRetentionLimit ?? 0 },
    Raft: {
      ...nonZero('SnapshotInterval', raft?.snapshotInterval ?? 0),
      KeepOldSnapshots: raft?.keepOldSnapshots ?? 0,
      ...nonZero('LogEntriesForSlowFollowers', raft?.logEntriesForSlowFollowers ?? 0),
      ElectionTick: raft?.electionTick ?? 0,
      HeartbeatTick: raft?.heartbeatTick ?? 0,
    },
    Dispatcher: durationToApi('HeartbeatPeriod', dispatcher?.heartbeatPeriod),
    CAConfig: {
      ...optional(
        'NodeCertExpiry',
        caConfig?.nodeCertExpiry && durationNs(caConfig.nodeCertExpiry),
      ),
      ...nonEmptyList('ExternalCAs', caConfig?.externalCas.map(externalCaToApi) ?? []),
      ...nonZero('ForceRotate', caConfig?.forceRotate ?? 0),
    },
    TaskDefaults: optional('LogDriver', driverToApi(taskDefaults?.logDriver)),
    EncryptionConfig: { AutoLockManagers: spec.encryptionConfig?.autoLockManagers ?? false },
  };
}

export const defaultClusterSpec: ClusterSpec = {
  annotations: { name: 'default', labels: {}, indices: [] },
  orchestration: { taskHistoryRetentionLimit: 5 },
  raft: {
    snapshotInterval: 10_000,
    keepOldSnapshots: 0,
    logEntriesForSlowFollowers: 500,
    heartbeatTick: 1,
    electionTick: 10,
  },
  dispatcher: { heartbeatPeriod: msToDuration(5_000) },
  caConfig: {
    nodeCertExpiry: msToDuration(2_160 * 3_600_000),
    externalCas: [],
    signingCaCert: Buffer.alloc(0),
    signingCaKey: Buffer.alloc(0),
    forceRotate: 0,
  },
  taskDefaults: {},
  encryptionConfig: { autoLockManagers: false },
};

/** A whole spec: what a client leaves out, or at zero, is the default. */
export function clusterSpecFromApi(json: JsonReader): ClusterSpec {
  const orchestration = json.object('Orchestration');
  const history = orchestration?.optionalInteger('TaskHistoryRetentionLimit') ?? 5;
  const period = json.object('Dispatcher')?.count('HeartbeatPeriod');
  const annotations = annotationsFromApi(json);
  const logDriver = driverFromApi(json.object('TaskDefaults')?.object('LogDriver'));
  const autoLockManagers = json.object('EncryptionConfig')?.boolean('AutoLockManagers') ?? false;
  return {
    annotations: { ...annotations, name: annotations.name || 'default' },
    orchestration: { taskHistoryRetentionLimit: history },
    raft: raftFromApi(json.object('Raft')),
    dispatcher: period ? { heartbeatPeriod: nsToDuration(period) } : defaultClusterSpec.dispatcher,
    caConfig: caConfigFromApi(json.object('CAConfig')),
    taskDefaults: { logDriver },
    encryptionConfig: { autoLockManagers },
  };
}

function raftFromApi(json: JsonReader | undefined): ClusterSpec['raft'] {
  const defaults = defaultClusterSpec.raft!;
  return {
    snapshotInterval: json?.count('SnapshotInterval') || defaults.snapshotInterval,
    keepOldSnapshots: json?.count('KeepOldSnapshots') ?? defaults.keepOldSnapshots,
    logEntriesForSlowFollowers:
      json?.count('LogEntriesForSlowFollowers') || defaults.logEntriesForSlowFollowers,
    heartbeatTick: json?.count('HeartbeatTick') || defaults.heartbeatTick,
    electionTick: json?.count('ElectionTick') || defaults.electionTick,
  };
}

function caConfigFromApi(json: JsonReader | undefined): ClusterSpec['caConfig'] {
  const expiry = json?.count('NodeCertExpiry');
  return {
    nodeCertExpiry: expiry ? nsToDuration(expiry) : defaultClusterSpec.caConfig?.nodeCertExpiry,
    externalCas: json?.objects('ExternalCAs').map(externalCaFromApi) ?? [],
    signingCaCert: Buffer.from(json?.string('SigningCACert') ?? ''),
    signingCaKey: Buffer.from(json?.string('SigningCAKey') ?? ''),
    forceRotate: json?.count('ForceRotate') ?? 0,
  };
}

function externalCaToApi(ca: ExternalCA) {
  return {
    Protocol: protocols.toWord(ca.protocol),
    URL: ca.url,
    ...nonEmptyMap('Options', ca.options),
    CACert: Buffer.from(ca.caCert).toString('utf8'),
  };
}

function externalCaFromApi(json: JsonReader): ExternalCA {
  return {
    protocol: protocols.fromField(json, 'Protocol', Protocol.CFSSL),
    url: json.string('URL'),
    options: json.stringMap('Options'),
    caCert: Buffer.from(json.string('CACert')),
  };
}

/** What nodes show when they are done: what they trust, and who signed for them. */
function trustToApi({ rootCa }: Cluster) {
  const issuer = wantedIssuer(rootCa);
  if (!issuer) return {};
  return {
    TrustRoot: trustBundleOf(rootCa).toString(),
    CertIssuerSubject: issuer.subject.toString('base64'),
    CertIssuerPublicKey: issuer.publicKey.toString('base64'),
  };
}
