import { type Context, print } from '../context.ts';
import { VERSION } from '../version.ts';
import { binarySize } from './human.ts';
import { type SwarmInfo, swarmLines } from './swarm-info.ts';

/** What `info` reads of GET /info. */
export interface SystemInfo {
  readonly ID: string;
  readonly Name: string;
  readonly Containers: number;
  readonly ContainersRunning: number;
  readonly ContainersPaused: number;
  readonly ContainersStopped: number;
  readonly Images: number;
  readonly ServerVersion: string;
  readonly Driver: string;
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
  readonly LoggingDriver: string;
  readonly CgroupDriver: string;
  readonly CgroupVersion: string;
  readonly Plugins: Readonly<Record<string, readonly string[] | null>>;
  readonly Swarm: SwarmInfo;
  readonly Runtimes?: Readonly<Record<string, unknown>> | null;
  readonly DefaultRuntime: string;
  readonly InitBinary: string;
  readonly ContainerdCommit: { readonly ID: string };
  readonly RuncCommit: { readonly ID: string };
  readonly SecurityOptions?: readonly string[] | null;
  readonly KernelVersion: string;
  readonly OperatingSystem: string;
  readonly OSType: string;
  readonly Architecture: string;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly DockerRootDir: string;
  readonly Debug: boolean;
  readonly HttpProxy?: string;
  readonly HttpsProxy?: string;
  readonly NoProxy?: string;
  readonly Labels?: readonly string[] | null;
  readonly ExperimentalBuild: boolean;
  readonly RegistryConfig?: { readonly InsecureRegistryCIDRs?: readonly string[] | null } | null;
  readonly LiveRestoreEnabled: boolean;
  readonly Warnings?: readonly string[] | null;
}

/** `info` for people, in Docker's layout: scripts search its lines. */
export function printInfo(context: Context, info: SystemInfo): void {
  const lines = [
    'Client:',
    ` Version:    ${VERSION}`,
    ` Host:       ${context.api.host}`,
    '',
    'Server:',
    ...[...countLines(info), ...engineLines(info), ...machineLines(info)].map((line) => ` ${line}`),
  ];
  print(context, `${lines.join('\n')}\n`);
  for (const warning of [...(info.Warnings ?? []), ...(info.Swarm.Warnings ?? [])]) {
    context.err.write(`${warning}\n`);
  }
}

function countLines(info: SystemInfo): string[] {
  return [
    `Containers: ${info.Containers}`,
    ` Running: ${info.ContainersRunning}`,
    ` Paused: ${info.ContainersPaused}`,
    ` Stopped: ${info.ContainersStopped}`,
    `Images: ${info.Images}`,
  ];
}

function engineLines(info: SystemInfo): string[] {
  const plugins = Object.entries(info.Plugins).filter(([, names]) => names && names.length > 0);
  return [
    `Server Version: ${info.ServerVersion}`,
    `Storage Driver: ${info.Driver}`,
    ...(info.DriverStatus ?? []).map(([key, value]) => ` ${key}: ${value}`),
    `Logging Driver: ${info.LoggingDriver}`,
    `Cgroup Driver: ${info.CgroupDriver}`,
    `Cgroup Version: ${info.CgroupVersion}`,
    'Plugins:',
    ...plugins.map(([type, names]) => ` ${type}: ${names?.join(' ')}`),
    ...swarmLines(info.Swarm),
    `Runtimes: ${Object.keys(info.Runtimes ?? {}).join(' ')}`,
    `Default Runtime: ${info.DefaultRuntime}`,
    ...optional('Init Binary', info.InitBinary),
    `containerd version: ${info.ContainerdCommit.ID}`,
    `runc version: ${info.RuncCommit.ID}`,
    ...securityLines(info),
  ];
}

/** `name=seccomp,profile=builtin` is a name with what belongs to it. */
function securityLines({ SecurityOptions }: SystemInfo): string[] {
  if (!SecurityOptions || SecurityOptions.length === 0) return [];
  const lines = SecurityOptions.flatMap((option) =>
    option.split(',').map((pair) => {
      const [key = '', value = key] = pair.split('=');
      return key === 'name'
        ? ` ${value}`
        : `  ${key.charAt(0).toUpperCase()}${key.slice(1)}: ${value}`;
    }),
  );
  return ['Security Options:', ...lines];
}

function machineLines(info: SystemInfo): string[] {
  return [
    `Kernel Version: ${info.KernelVersion}`,
    `Operating System: ${info.OperatingSystem}`,
    `OSType: ${info.OSType}`,
    `Architecture: ${info.Architecture}`,
    `CPUs: ${info.NCPU}`,
    `Total Memory: ${binarySize(info.MemTotal)}`,
    `Name: ${info.Name}`,
    `ID: ${info.ID}`,
    `Docker Root Dir: ${info.DockerRootDir}`,
    `Debug Mode: ${info.Debug}`,
    ...optional('HTTP Proxy', info.HttpProxy),
    ...optional('HTTPS Proxy', info.HttpsProxy),
    ...optional('No Proxy', info.NoProxy),
    ...list('Labels:', info.Labels),
    `Experimental: ${info.ExperimentalBuild}`,
    ...list('Insecure Registries:', info.RegistryConfig?.InsecureRegistryCIDRs),
    `Live Restore Enabled: ${info.LiveRestoreEnabled}`,
  ];
}

function optional(title: string, value: string | undefined): string[] {
  return value ? [`${title}: ${value}`] : [];
}

function list(title: string, values: readonly string[] | null | undefined): string[] {
  return values && values.length > 0 ? [title, ...values.map((value) => ` ${value}`)] : [];
}
