import type { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import type { SwarmError } from '../common/errors.ts';
import type { KeyRotation } from '../proto/gen/swarm/control.ts';
import type { LogMessage, SubscribeLogsRequest } from '../proto/gen/swarm/logs.ts';
import type {
  Cluster,
  Config,
  Network,
  Node,
  Secret,
  Service,
} from '../proto/gen/swarm/objects.ts';
import type {
  ClusterSpec,
  ConfigSpec,
  NetworkSpec,
  NodeSpec,
  SecretSpec,
  ServiceSpec,
} from '../proto/gen/swarm/specs.ts';
import type { NodeRole } from '../proto/gen/swarm/types.ts';
import type { ConsensusStats, MemberStatus } from './consensus/index.ts';
import type { Commit, Kind, ReadTx } from './store/types.ts';

/** Who a certificate says its bearer is: CN, OU and O. */
export interface CertificateIdentity {
  readonly nodeId: string;
  readonly role: NodeRole;
  readonly clusterId: string;
}

/**
 * The certificate, key and trusted roots of this node, kept in its state directory, renewed by
 * itself. gRPC credentials made from it follow the current certificate.
 */
export interface SecurityConfigApi {
  readonly identity: CertificateIdentity;
  readonly rootCaPem: string;
  readonly certificatePem: string;
  /** When the current certificate ends, milliseconds since the epoch. */
  readonly notAfter: number;
  /** Mutual TLS, with clients that have no certificate let in (for the CA service alone). */
  serverCredentials(): ServerCredentials;
  /** Accepts only a server of `role` in this cluster, and only the node `nodeId` when given. */
  clientCredentials(role: NodeRole, nodeId?: string): ChannelCredentials;
  /** Asks a manager for a new certificate now, e.g. after the role changed. */
  renew(): Promise<void>;
  /** Called after the certificate or the roots changed. */
  onChange(listener: () => void): () => void;
}

/** The writes of the control API, wherever the leader is. All throw SwarmError. */
export interface ControlApi {
  createService(spec: ServiceSpec): Promise<Service>;
  updateService(
    id: string,
    version: number,
    spec: ServiceSpec,
    rollback: boolean,
  ): Promise<Service>;
  removeService(id: string): Promise<void>;
  createNetwork(spec: NetworkSpec): Promise<Network>;
  removeNetwork(id: string): Promise<void>;
  updateNode(id: string, version: number, spec: NodeSpec): Promise<Node>;
  removeNode(id: string, force: boolean): Promise<void>;
  updateCluster(version: number, spec: ClusterSpec, rotation: KeyRotation): Promise<Cluster>;
  createSecret(spec: SecretSpec): Promise<Secret>;
  updateSecret(id: string, version: number, spec: SecretSpec): Promise<Secret>;
  removeSecret(id: string): Promise<void>;
  createConfig(spec: ConfigSpec): Promise<Config>;
  updateConfig(id: string, version: number, spec: ConfigSpec): Promise<Config>;
  removeConfig(id: string): Promise<void>;
}

/** What a manager holds, for metrics. */
export interface ManagerStats extends ConsensusStats {
  readonly objects: Readonly<Record<Kind, number>>;
}

/** A manager as the daemon uses it. */
export interface ManagerApi {
  /** Resolves once the manager serves: it leads, or it has a leader and a store that is up to date. */
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly control: ControlApi;
  readonly isLeader: boolean;
  /** Why it takes part in Raft no more: its disk failed, say. Reads go on if it is the only manager. */
  readonly failure: SwarmError | undefined;
  leader(): MemberStatus | undefined;
  members(): readonly MemberStatus[];
  /** Cheap. Undefined while the manager is being prepared. */
  stats(): ManagerStats | undefined;
  /**
   * Reads the store linearizably: waits for a ReadIndex first. Rejects with SWM_NO_LEADER at once
   * when there is none.
   */
  read<T>(view: (tx: ReadTx) => T, signal?: AbortSignal): Promise<T>;
  /** Reads this manager's own copy without asking anyone; may lag. */
  readLocal<T>(view: (tx: ReadTx) => T): T;
  /** Every commit of this manager's store, e.g. for GET /events. */
  subscribe(listener: (commit: Commit) => void): () => void;
  /** Logs of services and tasks, relayed from the nodes. Ends by itself unless `options.follow`. */
  subscribeLogs(request: SubscribeLogsRequest, signal: AbortSignal): AsyncIterable<LogMessage>;
  /** `SWMKEY-1-…`, or '' while managers are not locked. */
  unlockKey(): Promise<string>;
  /**
   * All that it takes to make this manager anew, as a tar. With `local` the state that this manager
   * knows, which may lag, and needs no leader; else one that has all that was acknowledged.
   */
  backup(options: { readonly local: boolean }): Promise<AsyncIterable<Buffer>>;
  /** Gives up leadership and leaves the Raft members; the store on disk is to be deleted after. */
  leaveRaft(force: boolean): Promise<void>;
}
