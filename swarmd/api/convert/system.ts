import type { Cluster } from '../../../proto/gen/swarm/objects.ts';
import type { Container } from '../../../worker/index.ts';
import type { SwarmNodeState, SystemInfo } from '../node-api.ts';
import { API_VERSION, ENGINE_VERSION, MIN_API_VERSION } from '../versions.ts';
import { clusterToApi } from './cluster.ts';

const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

/** GET /version; `runtime` is where Docker tells its version of Go. */
export function versionToApi(system: SystemInfo, runtime: string) {
  const arch = goArchitecture(system);
  const common = {
    ApiVersion: API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    GitCommit: system.gitCommit,
    GoVersion: runtime,
    Os: 'linux',
    Arch: arch,
    KernelVersion: system.kernelVersion,
    BuildTime: system.buildTime,
  };
  const component = (name: string, version: string, details: object) => ({
    Name: name,
    Version: version,
    Details: details,
  });
  return {
    Platform: { Name: `swarmd ${system.version}` },
    Components: [
      component('Engine', ENGINE_VERSION, { ...common, Experimental: 'false' }),
      component('swarmd', system.version, { GitCommit: system.gitCommit }),
      component('containerd', system.containerdVersion, {}),
      component('runc', system.runcVersion, {}),
    ],
    Version: ENGINE_VERSION,
    ...common,
  };
}

/** What GET /info adds to the facts of the machine. */
export interface InfoInputs {
  readonly system: SystemInfo;
  readonly containers: readonly Container[];
  readonly images: number;
  readonly swarm: Record<string, unknown>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** GET /info. */
export function infoToApi({ system, containers, images, swarm, now }: InfoInputs) {
  const count = (...states: string[]) =>
    containers.filter(({ state }) => states.includes(state.status)).length;
  return {
    ID: system.id,
    Name: system.hostname,
    Containers: containers.length,
    ContainersRunning: count('running', 'restarting'),
    ContainersPaused: count('paused'),
    ContainersStopped: count('created', 'exited', 'dead', 'removing'),
    Images: images,
    ServerVersion: ENGINE_VERSION,
    SystemTime: new Date(now).toISOString(),
    DockerRootDir: system.rootDir,
    Labels: system.labels,
    Swarm: swarm,
    ...machine(system),
    ...engine(system),
  };
}

function machine(system: SystemInfo) {
  return {
    KernelVersion: system.kernelVersion,
    OperatingSystem: system.operatingSystem,
    OSVersion: system.osVersion,
    OSType: 'linux',
    Architecture: system.architecture,
    NCPU: system.cpus,
    MemTotal: system.memoryBytes,
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    OomKillDisable: system.cgroupVersion === '1',
    CgroupDriver: system.cgroupDriver,
    CgroupVersion: system.cgroupVersion,
    NFd: 0,
    NGoroutines: 0,
    NEventsListener: 0,
  };
}

function engine(system: SystemInfo) {
  return {
    Driver: system.storageDriver,
    DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']],
    LoggingDriver: system.loggingDriver,
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'null', 'overlay'],
      Authorization: null,
      Log: ['json-file'],
    },
    Runtimes: { runc: { path: 'runc' } },
    DefaultRuntime: 'runc',
    InitBinary: '',
    ContainerdCommit: { ID: system.containerdVersion },
    RuncCommit: { ID: system.runcVersion },
    InitCommit: { ID: '' },
    SecurityOptions: ['name=seccomp,profile=builtin'],
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: { IndexConfigs: {}, InsecureRegistryCIDRs: ['127.0.0.0/8'], Mirrors: null },
    GenericResources: null,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Debug: false,
    ExperimentalBuild: false,
    LiveRestoreEnabled: true,
    Isolation: '',
    ProductLicense: '',
    CDISpecDirs: null,
    Warnings: null,
  };
}

/** What the managers' store says of the swarm's size. */
export interface SwarmFacts {
  readonly cluster: Cluster | undefined;
  readonly nodes: number;
  readonly managers: number;
}

/** `Info.Swarm`; `facts` are known while this node is a manager that serves. */
export function swarmInfoToApi(
  state: SwarmNodeState,
  facts: SwarmFacts | undefined,
  warnings: readonly string[] = [],
) {
  const managers = state.remoteManagers.map(({ nodeId, addr }) => ({ NodeID: nodeId, Addr: addr }));
  return {
    NodeID: state.nodeId,
    NodeAddr: state.nodeAddr,
    LocalNodeState: state.localNodeState,
    ControlAvailable: facts !== undefined,
    Error: state.error,
    RemoteManagers: managers.length > 0 ? managers : null,
    ...(facts
      ? {
          Nodes: facts.nodes,
          Managers: facts.managers,
          ...(facts.cluster ? { Cluster: clusterToApi(facts.cluster) } : {}),
          ...(warnings.length > 0 ? { Warnings: warnings } : {}),
        }
      : {}),
  };
}

/** The header `Swarm` of `_ping`. */
export function swarmHeader(state: SwarmNodeState, serves: boolean): string {
  if (state.localNodeState !== 'active') return state.localNodeState;
  return serves ? 'active/manager' : 'active/worker';
}

/** As Go calls the machine's architecture. */
function goArchitecture({ architecture }: SystemInfo): string {
  return GO_ARCHITECTURES[architecture] ?? architecture;
}
