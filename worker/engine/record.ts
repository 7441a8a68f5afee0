import type { EndpointConfig, SandboxState } from '../../netdriver/index.ts';
import type { ContainerConfig, ContainerState, EndpointSettings, HostConfig } from './types.ts';

/** One probe of a health check. */
export interface HealthResult {
  readonly start: number; // milliseconds since the epoch
  readonly end: number;
  readonly exitCode: number;
  readonly output: string;
}

/** A mount as decided at creation: what `Mounts` of the inspect answer lists. */
export interface MountPoint {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  /** A volume's name; '' otherwise. */
  readonly name: string;
  /** On the host; '' for tmpfs. */
  readonly source: string;
  readonly destination: string;
  readonly driver: string;
  readonly mode: string;
  readonly readWrite: boolean;
  readonly propagation: string;
  readonly nonRecursive: boolean;
  /** mount(8) options of a tmpfs. */
  readonly tmpfsOptions: string;
  /** Made for this container alone; removed with it. */
  readonly anonymous: boolean;
}

/** A secret or config that the engine put into a file for this container. */
export interface InjectedPath {
  readonly source: string;
  readonly target: string;
}

/** An address that a manager gave to this container. */
export interface SwarmAttachment {
  readonly id: string;
  readonly networkId: string;
}

/** All that the engine knows of a container; what its database holds. Replaced, never changed. */
export interface ContainerRecord {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** By network name or id, as the user gave them. */
  readonly networks: Readonly<Record<string, EndpointSettings>>;
  readonly imageId: string;
  readonly mounts: readonly MountPoint[];
  readonly injected: readonly InjectedPath[];
  readonly taskId: string;
  readonly taskEndpoints: readonly EndpointConfig[];
  readonly state: ContainerState;
  readonly healthLog: readonly HealthResult[];
  readonly failingStreak: number;
  readonly restartCount: number;
  /** Stopped by a user: `unless-stopped` and `always` leave it alone until it is started. */
  readonly stoppedByUser: boolean;
  /** While it runs; what the network driver needs to take over after a restart. */
  readonly sandbox?: SandboxState;
  /** Given back to the swarm when the container stops or leaves the network. */
  readonly attachments: readonly SwarmAttachment[];
}

export const newState: ContainerState = {
  status: 'created',
  pid: 0,
  exitCode: 0,
  error: '',
  oomKilled: false,
  startedAt: 0,
  finishedAt: 0,
  health: 'none',
};

/** Its process exists. */
export const isActive = ({ state }: ContainerRecord): boolean =>
  state.status === 'running' || state.status === 'paused';

/** The names of the volumes that it mounts. */
export const volumesOf = ({ mounts }: ContainerRecord): string[] =>
  mounts.flatMap(({ name, type }) => (type === 'volume' ? [name] : []));
