import type { Duplex } from 'node:stream';
import type { EndpointConfig, EndpointInfo, PortBinding } from '../../netdriver/index.ts';
import type {
  ContainerConfig,
  ContainerCreateBody,
  EndpointSettings,
  HostConfig,
} from './config-types.ts';
import type { ImagesApi } from './image-types.ts';

export type * from './config-types.ts';
export type * from './image-types.ts';

/**
 * The containers of one node. Shapes are those of the Docker Engine API wherever it has one.
 */

/** A file that the engine puts into the container from memory (a secret or a config). */
export interface InjectedFile {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly data: Uint8Array;
  /** Secrets live on a tmpfs of their own and never touch the disk. */
  readonly secret: boolean;
}

/** What only the agent can ask of a container: it belongs to a swarm task. */
export interface TaskContainerOptions {
  readonly taskId: string;
  readonly endpoints: readonly EndpointConfig[];
  readonly files: readonly InjectedFile[];
}

export type ContainerStatus =
  | 'created'
  | 'running'
  | 'paused'
  | 'restarting'
  | 'removing'
  | 'exited'
  | 'dead';

export interface ContainerState {
  readonly status: ContainerStatus;
  readonly pid: number;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  readonly startedAt: number; // milliseconds since the epoch, 0 for never
  readonly finishedAt: number;
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
}

/** A container as lists and lookups give it. Immutable. */
export interface Container {
  readonly id: string;
  readonly name: string; // without the leading slash
  readonly createdAt: number;
  readonly config: ContainerConfig; // merged with the image's
  readonly hostConfig: HostConfig;
  readonly imageId: string;
  readonly state: ContainerState;
  readonly restartCount: number;
  readonly endpoints: readonly EndpointInfo[];
  readonly ports: readonly PortBinding[];
  readonly taskId: string; // '' for standalone containers
}

export interface LogLine {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds, UTC. */
  readonly time: string;
  /** With its line feed, if it had one. */
  readonly data: Buffer;
}

export interface LogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  /** Lines from the end; undefined is all. */
  readonly tail?: number;
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly until?: number;
  readonly signal?: AbortSignal;
}

/** The container's side of an attach: what it prints, and where its input goes. */
export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Print what the log has first. */
  readonly logs: boolean;
  readonly stream: boolean;
  /** As the Docker CLI writes them; undefined is ctrl-p,ctrl-q. */
  readonly detachKeys?: string;
}

export interface ExecConfig {
  Cmd: string[];
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  Tty?: boolean;
  Env?: string[] | null;
  User?: string;
  WorkingDir?: string;
  Privileged?: boolean;
  DetachKeys?: string;
}

/** GET /exec/{id}/json. */
export interface ExecInspect {
  ID: string;
  Running: boolean;
  ExitCode: number | null;
  ProcessConfig: {
    tty: boolean;
    entrypoint: string;
    arguments: string[];
    user: string;
    privileged: boolean;
  };
  OpenStdin: boolean;
  OpenStdout: boolean;
  OpenStderr: boolean;
  CanRemove: boolean;
  ContainerID: string;
  DetachKeys: string;
  Pid: number;
}

/** What an event tells: the fields of GET /events. */
export interface EngineEvent {
  readonly type: 'container' | 'image' | 'network' | 'volume';
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly timeMs: number;
}

export interface VolumeInfo {
  readonly name: string;
  readonly driver: string;
  readonly mountpoint: string;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

export interface VolumesApi {
  create(spec: {
    name?: string;
    driver?: string;
    labels?: Record<string, string>;
    options?: Record<string, string>;
  }): Promise<VolumeInfo>;
  list(): readonly VolumeInfo[];
  inspect(name: string): VolumeInfo;
  remove(name: string, force: boolean): Promise<void>;
  prune(all: boolean): Promise<{ deleted: string[]; reclaimed: number }>;
}

/**
 * Attaches a standalone container to a swarm network: asks a manager for an address (through the
 * agent's connection) and gives it back on release. Set by the node while it is in a swarm.
 */
export interface SwarmAttacher {
  attach(
    request: {
      containerId: string;
      network: string;
      aliases: readonly string[];
      addresses: readonly string[];
    },
    signal?: AbortSignal,
  ): Promise<{ attachmentId: string; endpoint: Omit<EndpointConfig, 'endpointId'> }>;
  detach(attachmentId: string): Promise<void>;
}

/**
 * `ref` is a full id, a name, or a unique id prefix; SWM_NOT_FOUND `No such container: X`.
 *
 * Of a task's container with service endpoints the engine itself lets the services' traffic in
 * (`NetDriverApi.enableService`) once it runs and is healthy, and keeps it out (`disableService`,
 * waited for) before it sends a stop signal.
 */
export interface EngineApi {
  /** Opens its state, connects to containerd (or starts it), adopts the containers that still run. */
  start(): Promise<void>;
  /** Containers go on running. */
  stop(): Promise<void>;
  readonly images: ImagesApi;
  readonly volumes: VolumesApi;
  setSwarmAttacher(attacher: SwarmAttacher | undefined): void;

  create(
    body: ContainerCreateBody,
    options: { name?: string; platform?: string; task?: TaskContainerOptions },
  ): Promise<{ id: string; warnings: string[] }>;
  /** False when it ran already. */
  startContainer(ref: string): Promise<boolean>;
  /** Stop signal, then SIGKILL after the grace (seconds). False when it did not run. */
  stopContainer(ref: string, options?: { timeout?: number; signal?: string }): Promise<boolean>;
  restart(ref: string, options?: { timeout?: number; signal?: string }): Promise<void>;
  kill(ref: string, signal?: string): Promise<void>;
  pause(ref: string): Promise<void>;
  unpause(ref: string): Promise<void>;
  rename(ref: string, name: string): Promise<void>;
  remove(ref: string, options: { force: boolean; volumes: boolean }): Promise<void>;
  wait(
    ref: string,
    condition: 'not-running' | 'next-exit' | 'removed',
    signal?: AbortSignal,
  ): Promise<{ exitCode: number; error?: string }>;
  resize(ref: string, height: number, width: number): Promise<void>;
  list(): readonly Container[];
  get(ref: string): Container;
  /** GET /containers/{id}/json, whole. */
  inspect(ref: string): Promise<Record<string, unknown>>;
  top(ref: string): Promise<{ Titles: string[]; Processes: string[][] }>;
  /** One sample of GET /containers/{id}/stats. */
  stats(ref: string): Promise<Record<string, unknown>>;
  logs(ref: string, options: LogOptions): AsyncIterable<LogLine>;
  /**
   * The returned stream carries what the client sees (multiplexed in 8-byte frames unless the
   * container has a TTY) and takes what it types. It ends when the container does or on detach keys.
   */
  attach(ref: string, options: AttachOptions): Promise<Duplex>;
  execCreate(ref: string, config: ExecConfig): Promise<string>;
  /** Same stream as `attach`; undefined when detached. */
  execStart(
    execId: string,
    options: { detach: boolean; tty?: boolean },
  ): Promise<Duplex | undefined>;
  execResize(execId: string, height: number, width: number): Promise<void>;
  execInspect(execId: string): ExecInspect;
  /** tar of a path: GET archive, with its stat header; PUT archive. */
  archiveStat(
    ref: string,
    path: string,
  ): Promise<{ name: string; size: number; mode: number; mtime: string; linkTarget: string }>;
  archiveGet(ref: string, path: string): Promise<AsyncIterable<Buffer>>;
  archivePut(
    ref: string,
    path: string,
    tar: AsyncIterable<Buffer>,
    options: { noOverwriteDirNonDir: boolean },
  ): Promise<void>;

  /** GET export: the whole file system as a tar, without volumes. */
  export(ref: string): AsyncIterable<Buffer>;
  /** GET changes: what differs from the image. 0 modified, 1 added, 2 deleted. */
  changes(ref: string): Promise<{ Path: string; Kind: 0 | 1 | 2 }[]>;
  /** New limits and restart policy, also while it runs. */
  update(ref: string, change: Partial<HostConfig>): Promise<{ warnings: string[] }>;

  /** `network` is a name or id of a local network, or of an attachable swarm network. */
  connectNetwork(network: string, ref: string, settings: EndpointSettings): Promise<void>;
  disconnectNetwork(network: string, ref: string, force: boolean): Promise<void>;

  /** Health and life of tasks' containers, for the agent; every container event, for the API. */
  onEvent(listener: (event: EngineEvent) => void): () => void;
}
