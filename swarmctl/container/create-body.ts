import { CliError } from '../cli-error.ts';
import { endpointsOf } from '../options/container-networks.ts';
import type { PortMapping } from '../options/container-ports.ts';
import { securityOption } from '../options/container-values.ts';
import { environment, readLines } from '../options/environment.ts';
import { given } from '../options/given.ts';
import { healthcheckOf } from '../options/health.ts';
import { toMap } from '../options/parse.ts';
import type { CreateFlags } from './flags.ts';

export interface CreateInput {
  readonly image: string;
  readonly command: readonly string[];
  readonly flags: CreateFlags;
  /** The caller's environment, for `--env NAME`. */
  readonly env: NodeJS.ProcessEnv;
  /** The streams that the caller attaches to. */
  readonly attach: ReadonlySet<string>;
}

/** The body of POST /containers/create. What was not asked for is left out. */
export function createBody({ image, command, flags, env, attach }: CreateInput): object {
  const interactive = flags.interactive ?? false;
  const endpoints = endpointsOf(flags.network, flags);
  const labels = [...flags.labelFile.flatMap((path) => readLines(path, '--label-file'))];
  return {
    Image: image,
    AttachStdin: attach.has('stdin'),
    AttachStdout: attach.has('stdout'),
    AttachStderr: attach.has('stderr'),
    Tty: flags.tty ?? false,
    OpenStdin: interactive,
    StdinOnce: interactive && attach.has('stdin'),
    Env: environment(flags.envFile, flags.env, env),
    Cmd: command.length > 0 ? command : null,
    Labels: toMap([...labels, ...flags.label]),
    ExposedPorts: exposedPorts(flags),
    Volumes: Object.fromEntries(anonymousVolumes(flags).map((path) => [path, {}])),
    ...given({
      Hostname: flags.hostname,
      Domainname: flags.domainname,
      User: flags.user,
      WorkingDir: flags.workdir,
      Entrypoint: flags.entrypoint === undefined ? undefined : [flags.entrypoint],
      StopSignal: flags.stopSignal,
      StopTimeout: flags.stopTimeout,
      Healthcheck: healthcheckOf(flags, { exitCode: 125 }),
    }),
    HostConfig: hostConfig(flags),
    NetworkingConfig: { EndpointsConfig: endpoints },
  };
}

function hostConfig(flags: CreateFlags): object {
  const binds = flags.volume.flatMap(({ bind }) => (bind === undefined ? [] : [bind]));
  return given({
    NetworkMode: flags.network[0]?.name ?? 'default',
    PortBindings: portBindings(flags.publish),
    PublishAllPorts: flags.publishAll,
    RestartPolicy: flags.restart ?? { Name: 'no', MaximumRetryCount: 0 },
    AutoRemove: flags.rm ?? false,
    Binds: some(binds),
    Mounts: some(flags.mount),
    Tmpfs: flags.tmpfs.length > 0 ? tmpfs(flags.tmpfs) : undefined,
    Dns: some(flags.dns),
    DnsOptions: some(flags.dnsOption),
    DnsSearch: some(flags.dnsSearch),
    ExtraHosts: some(flags.addHost),
    LogConfig: logConfig(flags),
    Init: flags.init,
    ...securityConfig(flags),
    ...resources(flags),
  });
}

function securityConfig(flags: CreateFlags): object {
  return {
    CapAdd: some(flags.capAdd),
    CapDrop: some(flags.capDrop),
    GroupAdd: some(flags.groupAdd),
    Privileged: flags.privileged,
    ReadonlyRootfs: flags.readOnly,
    SecurityOpt: some(flags.securityOpt.map(securityOption)),
    Sysctls: flags.sysctl.length > 0 ? toMap(flags.sysctl) : undefined,
    Devices: some(flags.device),
  };
}

function resources(flags: CreateFlags): object {
  if (flags.cpus !== undefined && (flags.cpuQuota ?? flags.cpuPeriod) !== undefined) {
    throw new CliError('conflicting options: --cpus and --cpu-quota or --cpu-period', 125);
  }
  return {
    Memory: flags.memory,
    MemoryReservation: flags.memoryReservation,
    MemorySwap: flags.memorySwap,
    MemorySwappiness: flags.memorySwappiness,
    NanoCpus: flags.cpus,
    CpuPeriod: flags.cpuPeriod,
    CpuQuota: flags.cpuQuota,
    CpuShares: flags.cpuShares,
    CpusetCpus: flags.cpusetCpus,
    CpusetMems: flags.cpusetMems,
    OomKillDisable: flags.oomKillDisable,
    OomScoreAdj: flags.oomScoreAdj,
    PidsLimit: flags.pidsLimit,
    ShmSize: flags.shmSize,
    Ulimits: some(flags.ulimit),
  };
}

function exposedPorts(flags: CreateFlags): Record<string, object> {
  const ports = [...flags.expose, ...flags.publish.map(({ port }) => port)];
  return Object.fromEntries(ports.map((port) => [port, {}]));
}

function portBindings(mappings: readonly PortMapping[]): Record<string, object[]> {
  const bindings: Record<string, object[]> = {};
  for (const { port, HostIp, HostPort } of mappings) {
    bindings[port] = [...(bindings[port] ?? []), { HostIp, HostPort }];
  }
  return bindings;
}

function anonymousVolumes(flags: CreateFlags): string[] {
  return flags.volume.flatMap(({ anonymous }) => (anonymous === undefined ? [] : [anonymous]));
}

function tmpfs(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values.map((value) => {
      const colon = value.indexOf(':');
      return colon < 0 ? [value, ''] : [value.slice(0, colon), value.slice(colon + 1)];
    }),
  );
}

function logConfig({ logDriver, logOpt }: CreateFlags): object | undefined {
  if (logDriver === undefined && logOpt.length === 0) return undefined;
  if (logDriver === 'none' && logOpt.length > 0) {
    throw new CliError(`invalid logging opts for driver none: ${logOpt.join(', ')}`, 125);
  }
  return { Type: logDriver ?? '', Config: toMap(logOpt) };
}

function some<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}
