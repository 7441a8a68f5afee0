import { humanDuration } from './human.ts';

/** What `info` reads of `Swarm` in GET /info. */
export interface SwarmInfo {
  readonly NodeID: string;
  readonly NodeAddr: string;
  readonly LocalNodeState: string;
  readonly ControlAvailable: boolean;
  readonly Error: string;
  readonly RemoteManagers: readonly { readonly NodeID: string; readonly Addr: string }[] | null;
  readonly Nodes?: number;
  readonly Managers?: number;
  readonly Cluster?: ClusterInfo;
  readonly Warnings?: readonly string[] | null;
}

interface ClusterInfo {
  readonly ID: string;
  readonly DefaultAddrPool?: readonly string[] | null;
  readonly SubnetSize?: number;
  readonly DataPathPort?: number;
  readonly RootRotationInProgress?: boolean;
  readonly Spec: {
    readonly Orchestration: { readonly TaskHistoryRetentionLimit?: number };
    readonly Raft: {
      readonly SnapshotInterval?: number;
      readonly KeepOldSnapshots?: number;
      readonly HeartbeatTick?: number;
      readonly ElectionTick?: number;
    };
    readonly Dispatcher: { readonly HeartbeatPeriod?: number };
    readonly CAConfig: {
      readonly NodeCertExpiry?: number;
      readonly ForceRotate?: number;
      readonly ExternalCAs?: readonly { readonly Protocol: string; readonly URL: string }[];
    };
    readonly EncryptionConfig: { readonly AutoLockManagers?: boolean };
  };
}

/** The part of `info` about the swarm. */
export function swarmLines(swarm: SwarmInfo): string[] {
  const lines = [`Swarm: ${swarm.LocalNodeState}`];
  const error = swarm.Error ? [` Error: ${swarm.Error}`] : [];
  if (['inactive', 'locked'].includes(swarm.LocalNodeState)) return [...lines, ...error];
  const addresses = (swarm.RemoteManagers ?? []).map(({ Addr }) => Addr).sort();
  return [
    ...lines,
    ` NodeID: ${swarm.NodeID}`,
    ...error,
    ` Is Manager: ${swarm.ControlAvailable}`,
    ...(swarm.Cluster && swarm.ControlAvailable ? clusterLines(swarm, swarm.Cluster) : []),
    ` Node Address: ${swarm.NodeAddr}`,
    ...(addresses.length > 0
      ? [' Manager Addresses:', ...addresses.map((address) => `  ${address}`)]
      : []),
  ];
}

function clusterLines(swarm: SwarmInfo, cluster: ClusterInfo): string[] {
  const { Orchestration, Raft, Dispatcher, CAConfig, EncryptionConfig } = cluster.Spec;
  const pools = cluster.DefaultAddrPool ?? [];
  const external = CAConfig.ExternalCAs ?? [];
  const duration = (nanoseconds = 0) => humanDuration(nanoseconds / 1e6);
  return [
    ` ClusterID: ${cluster.ID}`,
    ` Managers: ${swarm.Managers ?? 0}`,
    ` Nodes: ${swarm.Nodes ?? 0}`,
    ...(pools.length > 0 ? [` Default Address Pool: ${pools.join('  ')}`] : []),
    ...(cluster.SubnetSize ? [` SubnetSize: ${cluster.SubnetSize}`] : []),
    ...(cluster.DataPathPort ? [` Data Path Port: ${cluster.DataPathPort}`] : []),
    ' Orchestration:',
    `  Task History Retention Limit: ${Orchestration.TaskHistoryRetentionLimit ?? 0}`,
    ' Raft:',
    `  Snapshot Interval: ${Raft.SnapshotInterval ?? 0}`,
    `  Number of Old Snapshots to Retain: ${Raft.KeepOldSnapshots ?? 0}`,
    `  Heartbeat Tick: ${Raft.HeartbeatTick ?? 0}`,
    `  Election Tick: ${Raft.ElectionTick ?? 0}`,
    ' Dispatcher:',
    `  Heartbeat Period: ${duration(Dispatcher.HeartbeatPeriod)}`,
    ' CA Configuration:',
    `  Expiry Duration: ${duration(CAConfig.NodeCertExpiry)}`,
    `  Force Rotate: ${CAConfig.ForceRotate ?? 0}`,
    ...(external.length > 0 ? ['  External CAs:'] : []),
    ...external.map(({ Protocol, URL }) => `    ${Protocol}: ${URL}`),
    ` Autolock Managers: ${EncryptionConfig.AutoLockManagers ?? false}`,
    ` Root Rotation In Progress: ${cluster.RootRotationInProgress ?? false}`,
  ];
}
