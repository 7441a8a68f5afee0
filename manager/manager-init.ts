import type { ClientOptions } from '@grpc/grpc-js';
import type { Clock } from '../common/clock.ts';
import type { Files } from '../common/files.ts';
import type { Logger } from '../common/logger.ts';
import type { Random } from '../common/random.ts';
import type { Pacing } from '../common/slices.ts';
import type { ClusterSpec, NodeSpec_Availability } from '../proto/gen/swarm/specs.ts';
import type { KeyFile, RootCa, SecurityConfig } from './ca/index.ts';
import type { Consensus } from './consensus/index.ts';
import type { GossipOpinion } from './dispatcher/dispatcher.ts';
import type { RpcListener, RpcServerComponents } from './rpc-server.ts';
import type { SecurityConfigApi } from './types.ts';

/** What a manager asks of the identity of its node: `SecurityConfig` in the daemon. */
export interface ManagerSecurity
  extends SecurityConfigApi,
    Pick<SecurityConfig, 'isKeyEncrypted' | 'encryptKey' | 'copy' | 'remotes'> {
  readonly rootCa: Pick<RootCa, 'digest' | 'certificatePem' | 'keyPem'>;
}

/**
 * What a manager does to the world outside of its process. Left out, it is done to this machine; a
 * simulation puts its own disk and network here.
 */
export interface ManagerEdge {
  readonly files?: Files | undefined;
  /** Makes the server of port 2377; by default gRPC over TLS on a socket. */
  readonly createServer?: ((components: RpcServerComponents) => RpcListener) | undefined;
  /** Of every connection to another manager. */
  readonly clientOptions?: ClientOptions | undefined;
  /** Opens or begins the replicated log; by default `Consensus.open`, which keeps it in LevelDB. */
  readonly openLog?: typeof Consensus.open | undefined;
}

export interface ManagerComponents extends ManagerEdge, Pacing {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly securityConfig: ManagerSecurity;
  /** What this node's gossip says of the others' life: the dispatcher then waits less for the dead. */
  readonly gossip?: GossipOpinion;
  /** Told how long each proposal took until it was applied here, milliseconds. */
  readonly onProposed?: ((ms: number) => void) | undefined;
  /** From `readManagerKeys`. A manager that is not locked, or is new, finds them itself. */
  readonly keys?: KeyFile | undefined;
}

/** A new cluster, of which this is the first manager. Needs the root key of `bootstrap`. */
export interface BootstrapMode {
  readonly type: 'bootstrap';
  /** What is not set gets Docker's defaults. */
  readonly spec: ClusterSpec;
  readonly availability: NodeSpec_Availability;
  /** CIDRs; empty for 10.0.0.0/8. */
  readonly defaultAddressPool: readonly string[];
  /** Prefix length of automatic subnets; 0 for 24. */
  readonly subnetSize: number;
  /** UDP port of VXLAN; 0 for 4789. */
  readonly dataPathPort: number;
}

export type ManagerMode =
  | BootstrapMode
  /** Enters the Raft members of an existing cluster, unless it did so before. */
  | { readonly type: 'join'; readonly remotes: readonly string[] }
  | { readonly type: 'restart' }
  /** Makes this manager the only one of its cluster: the others were lost. */
  | { readonly type: 'force-new-cluster' };

export interface ManagerInit {
  /** Of this membership; the manager keeps all it has in `<stateDir>/raft`. */
  readonly stateDir: string;
  /** host:port to listen on. */
  readonly listenAddr: string;
  /** host:port the other nodes reach this one at. */
  readonly advertiseAddr: string;
  readonly mode: ManagerMode;
  /**
   * The other managers removed this one from the Raft members: it is of no more use. If the node is
   * still, or again, to be a manager, it needs a new one, in mode `join` and without the old state.
   */
  readonly onRemoved?: () => void;
  /**
   * This manager takes part in Raft no more, as its disk or its state failed; `Manager.failure` says
   * why. A new one, in mode `restart`, goes on from what is on disk.
   */
  readonly onFailed?: () => void;
}
