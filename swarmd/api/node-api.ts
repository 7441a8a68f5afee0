import type { ManagerApi } from '../../manager/index.ts';
import type { NetDriverApi } from '../../netdriver/index.ts';
import type { ClusterSpec, NodeSpec_Availability } from '../../proto/gen/swarm/specs.ts';
import type { EngineApi } from '../../worker/index.ts';

export type LocalNodeState = 'inactive' | 'pending' | 'active' | 'error' | 'locked';

/** This node's place in a swarm, as `Info.Swarm` and the `Swarm` header tell it. */
export interface SwarmNodeState {
  /** '' outside a swarm. */
  readonly nodeId: string;
  /** The advertised IP, without port; '' outside a swarm. */
  readonly nodeAddr: string;
  readonly localNodeState: LocalNodeState;
  /** The certificate's role. A manager may still be starting: then `SwarmNodeApi.manager` is unset. */
  readonly role: 'none' | 'worker' | 'manager';
  /** Why `localNodeState` is `error`, or what the node is retrying; '' otherwise. */
  readonly error: string;
  /** The managers this node knows of; `addr` is host:port. */
  readonly remoteManagers: readonly { readonly nodeId: string; readonly addr: string }[];
}

/** POST /swarm/init. Addresses are as the user wrote them: '', an IP, an interface, with or without port. */
export interface InitRequest {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
  /** 0 is the default, 4789. */
  readonly dataPathPort: number;
  readonly forceNewCluster: boolean;
  /** Complete: defaults are filled in, named `default`, autolock merged in. */
  readonly spec: ClusterSpec;
  readonly availability: NodeSpec_Availability;
  /** CIDRs; empty is the default, 10.0.0.0/8. */
  readonly defaultAddrPool: readonly string[];
  /** 0 is the default, 24. */
  readonly subnetSize: number;
}

/** POST /swarm/join. */
export interface JoinRequest {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
  readonly remoteAddrs: readonly string[];
  readonly joinToken: string;
  readonly availability: NodeSpec_Availability;
}

/** POST /swarm/recover. */
export interface RecoverRequest {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
  /** SWMKEY-1-…; '' when the managers were not locked. */
  readonly unlockKey: string;
  /** What `ManagerApi.backup` gave. */
  readonly archive: AsyncIterable<Uint8Array>;
}

/** What GET /info and /version tell of the machine and the daemon. */
export interface SystemInfo {
  /** Identifies this daemon's state directory, for the life of it. */
  readonly id: string;
  readonly hostname: string;
  readonly kernelVersion: string;
  /** As in /etc/os-release PRETTY_NAME. */
  readonly operatingSystem: string;
  readonly osVersion: string;
  /** As uname says: x86_64, aarch64. */
  readonly architecture: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly rootDir: string;
  readonly storageDriver: string;
  readonly loggingDriver: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  readonly cgroupVersion: '1' | '2';
  readonly containerdVersion: string;
  readonly runcVersion: string;
  /** Of swarmd itself. */
  readonly version: string;
  readonly gitCommit: string;
  /** RFC 3339. */
  readonly buildTime: string;
  /** `key=value`, the engine labels of this node. */
  readonly labels: readonly string[];
}

/**
 * What the API server needs of the daemon. `engine` and `netdriver` are the same for the daemon's
 * life; `manager` comes and goes with the node's role.
 */
export interface SwarmNodeApi {
  readonly engine: EngineApi;
  readonly netdriver: NetDriverApi;
  /** Set exactly while this node is a manager that serves: started, unlocked, not leaving. */
  readonly manager: ManagerApi | undefined;
  /** Cheap; called on every `_ping`. */
  state(): SwarmNodeState;
  /** Calls `listener` after `manager` or anything in `state()` changed. */
  onState(listener: () => void): () => void;
  systemInfo(): SystemInfo;

  /**
   * Makes a swarm of one manager and resolves with its node id once that manager serves. The API has
   * checked that the node is in no swarm (or `forceNewCluster` is set). Throws
   * SWM_INVALID_ARGUMENT for an address that cannot be used, SWM_UNAVAILABLE for a failed start.
   */
  init(request: InitRequest): Promise<string>;
  /**
   * Joins and resolves once the node is active. Throws SWM_TIMEOUT after 20 s, and then goes on
   * trying in the background; SWM_INVALID_ARGUMENT for a bad token or address.
   */
  join(request: JoinRequest): Promise<void>;
  /** Leaves and removes all state of the swarm. The API has asked for `force` where it is needed. */
  leave(force: boolean): Promise<void>;
  /** Starts a locked manager. Throws SWM_UNAUTHENTICATED when `key` (SWMKEY-1-…) is not the key. */
  unlock(key: string): Promise<void>;
  /**
   * Makes this machine, which is in no swarm, the manager that the backup is of: the only one of its
   * cluster, at new addresses. Resolves with its node id once it serves. Throws SWM_INVALID_ARGUMENT
   * for a damaged backup or an address that cannot be used, SWM_LOCKED without the unlock key that it
   * needs, SWM_UNAUTHENTICATED with a wrong one; then nothing has changed.
   */
  recover(request: RecoverRequest): Promise<string>;
}
