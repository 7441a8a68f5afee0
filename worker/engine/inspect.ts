import type { EndpointInfo, PortBinding } from '../../netdriver/index.ts';
import { formatNanos } from '../runtime/io/log-format.ts';
import { healthPlan } from './health-rules.ts';
import { sandboxMode } from './network-plan.ts';
import type { ContainerRecord, MountPoint } from './record.ts';
import type { EndpointSettings } from './types.ts';

const NEVER = '0001-01-01T00:00:00Z';

export interface InspectWorld {
  readonly hostname: string;
  readonly logPath: string;
  readonly filesDir: string;
  readonly execIds: readonly string[];
  readonly networkIdOf: (network: string) => string;
}

/** The answer to GET /containers/{id}/json. */
export function inspectContainer(
  record: ContainerRecord,
  world: InspectWorld,
): Record<string, unknown> {
  const { config } = record;
  const command = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  return {
    Id: record.id,
    Created: time(record.createdAt),
    Path: command[0] ?? '',
    Args: command.slice(1),
    State: stateView(record),
    Image: record.imageId,
    ResolvConfPath: `${world.filesDir}/resolv.conf`,
    HostnamePath: `${world.filesDir}/hostname`,
    HostsPath: `${world.filesDir}/hosts`,
    LogPath: world.logPath,
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: 'overlayfs',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: world.execIds.length > 0 ? world.execIds : null,
    HostConfig: hostConfigView(record),
    GraphDriver: { Name: 'overlayfs', Data: null },
    Mounts: record.mounts.map(mountView),
    Config: configView(record, world.hostname),
    NetworkSettings: networkSettings(record, world),
  };
}

function stateView(record: ContainerRecord): Record<string, unknown> {
  const { state } = record;
  const health = healthPlan(record.config) && {
    Status: state.health,
    FailingStreak: record.failingStreak,
    Log: record.healthLog.map(({ start, end, exitCode, output }) => ({
      Start: time(start),
      End: time(end),
      ExitCode: exitCode,
      Output: output,
    })),
  };
  return {
    Status: state.status,
    Running: ['running', 'paused', 'restarting'].includes(state.status),
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: state.status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: time(state.startedAt),
    FinishedAt: time(state.finishedAt),
    ...(health ? { Health: health } : {}),
  };
}

/** What the user gave, with what clients expect to be there. */
function hostConfigView({ hostConfig }: ContainerRecord): Record<string, unknown> {
  return {
    Binds: null,
    ContainerIDFile: '',
    PortBindings: {},
    VolumesFrom: null,
    CapAdd: null,
    CapDrop: null,
    Dns: [],
    DnsOptions: [],
    DnsSearch: [],
    ExtraHosts: null,
    GroupAdd: null,
    IpcMode: 'private',
    Cgroup: '',
    Links: null,
    OomScoreAdj: 0,
    PidMode: '',
    Privileged: false,
    PublishAllPorts: false,
    ReadonlyRootfs: false,
    SecurityOpt: null,
    UTSMode: '',
    UsernsMode: '',
    ShmSize: 67_108_864,
    Runtime: 'runc',
    Isolation: '',
    AutoRemove: false,
    CpuShares: 0,
    Memory: 0,
    NanoCpus: 0,
    CgroupParent: '',
    PidsLimit: null,
    Ulimits: null,
    ...hostConfig,
    LogConfig: {
      Type: hostConfig.LogConfig?.Type || 'json-file',
      Config: hostConfig.LogConfig?.Config ?? {},
    },
    NetworkMode: hostConfig.NetworkMode || 'bridge',
    RestartPolicy: {
      Name: hostConfig.RestartPolicy?.Name || 'no',
      MaximumRetryCount: hostConfig.RestartPolicy?.MaximumRetryCount ?? 0,
    },
  };
}

function configView({ config }: ContainerRecord, hostname: string): Record<string, unknown> {
  const noPorts = Object.keys(config.ExposedPorts ?? {}).length === 0;
  const noVolumes = Object.keys(config.Volumes ?? {}).length === 0;
  const { ExposedPorts, ...rest } = config;
  return {
    Domainname: '',
    User: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    OnBuild: null,
    ...rest,
    ...(noPorts ? {} : { ExposedPorts }),
    Volumes: noVolumes ? null : config.Volumes,
    Hostname: hostname,
    Labels: config.Labels ?? {},
  };
}

function mountView(mount: MountPoint): Record<string, unknown> {
  return {
    Type: mount.type,
    ...(mount.name ? { Name: mount.name } : {}),
    Source: mount.source,
    Destination: mount.destination,
    ...(mount.driver ? { Driver: mount.driver } : {}),
    Mode: mount.mode,
    RW: mount.readWrite,
    Propagation: mount.propagation,
  };
}

function networkSettings(record: ContainerRecord, world: InspectWorld): Record<string, unknown> {
  const info = record.sandbox?.info;
  const endpoints = info?.endpoints ?? [];
  const networks: Record<string, unknown> = {};
  for (const endpoint of endpoints) {
    networks[endpoint.networkName] = endpointView(endpoint, settingsFor(record, endpoint));
  }
  for (const [network, settings] of Object.entries(record.networks)) {
    const known = endpoints.some((one) => one.networkName === network || one.networkId === network);
    if (!known) networks[network] = idleEndpoint(settings, world.networkIdOf(network));
  }
  const mode = sandboxMode(record.hostConfig);
  if (mode !== 'container') networks[mode] = idleEndpoint({}, world.networkIdOf(mode));
  const bridge = endpoints.find(({ networkName }) => networkName === 'bridge');
  return {
    Bridge: '',
    SandboxID: info && mode !== 'host' ? record.id : '',
    SandboxKey: info?.netnsPath ?? '',
    Ports: portsView(record, info?.ports ?? []),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    ...addressesView(bridge),
    Networks: networks,
  };
}

function settingsFor(record: ContainerRecord, endpoint: EndpointInfo): EndpointSettings {
  return record.networks[endpoint.networkName] ?? record.networks[endpoint.networkId] ?? {};
}

function endpointView(endpoint: EndpointInfo, settings: EndpointSettings): Record<string, unknown> {
  return {
    IPAMConfig: settings.IPAMConfig ?? null,
    Links: null,
    Aliases: endpoint.aliases.length > 0 ? endpoint.aliases : null,
    DriverOpts: settings.DriverOpts ?? null,
    GwPriority: 0,
    NetworkID: endpoint.networkId,
    ...addressesView(endpoint),
    DNSNames: endpoint.dnsNames.length > 0 ? endpoint.dnsNames : null,
  };
}

function idleEndpoint(settings: EndpointSettings, networkId: string): Record<string, unknown> {
  return {
    IPAMConfig: settings.IPAMConfig ?? null,
    Links: null,
    Aliases: settings.Aliases ?? null,
    DriverOpts: settings.DriverOpts ?? null,
    GwPriority: 0,
    NetworkID: networkId,
    ...addressesView(undefined),
    DNSNames: null,
  };
}

function addressesView(endpoint: EndpointInfo | undefined): Record<string, unknown> {
  const split = (cidr = '') => {
    const [address = '', prefix = '0'] = cidr.split('/');
    return { address, prefix: Number(prefix) };
  };
  const four = split(endpoint?.addresses.find((cidr) => !cidr.includes(':')));
  const six = split(endpoint?.addresses.find((cidr) => cidr.includes(':')));
  return {
    MacAddress: endpoint?.macAddress ?? '',
    EndpointID: endpoint?.endpointId ?? '',
    Gateway: endpoint?.gateway ?? '',
    IPAddress: four.address,
    IPPrefixLen: four.prefix,
    IPv6Gateway: '',
    GlobalIPv6Address: six.address,
    GlobalIPv6PrefixLen: six.prefix,
  };
}

/** Exposed ports are null, published ones say where; without address on both families. */
function portsView(
  record: ContainerRecord,
  bindings: readonly PortBinding[],
): Record<string, unknown> {
  const ports: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  if (!record.sandbox) return ports;
  for (const spec of Object.keys(record.config.ExposedPorts ?? {})) ports[spec] = null;
  for (const { containerPort, hostIp, hostPort, protocol } of bindings) {
    const key = `${containerPort}/${protocol}`;
    const addresses = hostIp ? [hostIp] : ['0.0.0.0', '::'];
    const views = addresses.map((HostIp) => ({ HostIp, HostPort: String(hostPort) }));
    ports[key] = [...(ports[key] ?? []), ...views];
  }
  return ports;
}

function time(milliseconds: number): string {
  return milliseconds > 0 ? formatNanos(milliseconds) : NEVER;
}
