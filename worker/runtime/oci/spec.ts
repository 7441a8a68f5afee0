import type { ContainerConfig, HostConfig } from '../../engine/types.ts';
import { capabilities } from './capabilities.ts';
import { orderMounts, systemMounts } from './mounts.ts';
import { resources } from './resources.ts';
import { seccompProfile } from './seccomp.ts';
import type { OciDevice, OciMount, OciSpec, OciUser } from './types.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where an init program is shown inside the container. */
export const INIT_PATH = '/sbin/docker-init';

const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** What the machine offers; asked once. */
export interface HostFeatures {
  readonly lastCap: number;
  readonly cgroupVersion: 1 | 2;
  readonly swapAccounting: boolean;
  readonly seccomp: boolean;
}

/** All that decides a container's runtime specification, the world's answers included. */
export interface SpecInput {
  readonly id: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly hostname: string;
  readonly user: OciUser;
  /** The user's mounts and the files under /etc, on top of the system's. */
  readonly mounts: readonly OciMount[];
  readonly devices: readonly { device: OciDevice; access: string }[];
  /** '' is the host's own. */
  readonly netnsPath: string;
  readonly cgroupParent: string;
  /** The text of a seccomp profile given by the user. */
  readonly seccompProfile?: string;
  readonly features: HostFeatures;
}

export function buildSpec(input: SpecInput): OciSpec {
  const { hostConfig, features } = input;
  const privileged = hostConfig.Privileged ?? false;
  const granted = capabilities({
    add: hostConfig.CapAdd ?? [],
    drop: hostConfig.CapDrop ?? [],
    privileged,
    lastCap: features.lastCap,
  });
  const seccomp = seccompProfile({ ...input, privileged, granted });
  const system = systemMounts({
    privileged,
    shmBytes: hostConfig.ShmSize ?? 0,
    hostIpc: isHost(hostConfig.IpcMode),
  });
  const sysctl = namespacedSysctls(hostConfig.Sysctls ?? {});
  return {
    ociVersion: '1.0.2',
    ...(isHost(hostConfig.UTSMode) ? {} : { hostname: input.hostname }),
    process: buildProcess(input, granted),
    root: { path: 'rootfs', readonly: hostConfig.ReadonlyRootfs ?? false },
    mounts: orderMounts(system, input.mounts),
    linux: {
      cgroupsPath: `${input.cgroupParent}/${input.id}`,
      namespaces: namespaces(input),
      resources: resources(hostConfig, input.devices, features),
      devices: input.devices.map(({ device }) => device),
      ...(Object.keys(sysctl).length > 0 ? { sysctl } : {}),
      maskedPaths: privileged ? [] : MASKED_PATHS,
      readonlyPaths: privileged ? [] : READONLY_PATHS,
      ...(seccomp ? { seccomp } : {}),
      ...propagationOf(input.mounts),
    },
  };
}

/** A command run in the container's namespaces later: an exec, or a health probe. */
export function buildExecProcess(
  container: OciSpec,
  exec: {
    args: readonly string[];
    env: readonly string[];
    cwd: string;
    user: OciUser;
    terminal: boolean;
    privileged: boolean;
    lastCap: number;
  },
): OciSpec['process'] {
  const { privileged, lastCap } = exec;
  const granted = privileged
    ? capabilities({ add: [], drop: [], privileged, lastCap })
    : container.process.capabilities.bounding;
  const base = exec.terminal ? withDefault(container.process.env, 'TERM', 'xterm') : undefined;
  return {
    ...container.process,
    terminal: exec.terminal,
    args: [...exec.args],
    env: mergeEnv(base ?? container.process.env, exec.env),
    cwd: exec.cwd || container.process.cwd,
    user: exec.user,
    capabilities: capabilitySets(granted, exec.user),
    noNewPrivileges: !privileged && container.process.noNewPrivileges,
  };
}

/** `overrides` win; a name without "=" removes the variable. */
export function mergeEnv(base: readonly string[], overrides: readonly string[]): string[] {
  const merged = new Map<string, string>();
  for (const entry of [...base, ...overrides]) {
    const name = entry.split('=', 1)[0] as string;
    if (entry.includes('=')) merged.set(name, entry);
    else merged.delete(name);
  }
  return [...merged.values()];
}

function buildProcess(input: SpecInput, granted: readonly string[]): OciSpec['process'] {
  const { config, hostConfig, user } = input;
  const command = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  const options = hostConfig.SecurityOpt ?? [];
  const isOn = (option: string) => /^no-new-privileges([:=]true)?$/.test(option);
  return {
    terminal: config.Tty ?? false,
    user,
    args: hostConfig.Init ? [INIT_PATH, '--', ...command] : command,
    env: environment(config, input.hostname),
    cwd: config.WorkingDir || '/',
    capabilities: capabilitySets(granted, user),
    rlimits: (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
      type: `RLIMIT_${Name.toUpperCase()}`,
      soft: Soft,
      hard: Hard,
    })),
    noNewPrivileges: options.some(isOn),
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  };
}

function environment(config: ContainerConfig, hostname: string): string[] {
  const base = [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${hostname}`];
  if (config.Tty) base.push('TERM=xterm');
  return mergeEnv(base, config.Env ?? []);
}

function withDefault(env: readonly string[], name: string, value: string): readonly string[] {
  return env.some((entry) => entry.startsWith(`${name}=`)) ? env : [...env, `${name}=${value}`];
}

/** Programs of other users than root start with none, but may gain them by file capabilities. */
function capabilitySets(granted: readonly string[], user: OciUser) {
  const effective = user.uid === 0 ? [...granted] : [];
  return { bounding: [...granted], effective, permitted: effective, inheritable: [] };
}

function namespaces(input: SpecInput): OciSpec['linux']['namespaces'] {
  const { CgroupnsMode, IpcMode, PidMode, UTSMode } = input.hostConfig;
  const list: OciSpec['linux']['namespaces'] = [{ type: 'mount' }];
  if (!isHost(PidMode)) list.push({ type: 'pid' });
  if (!isHost(IpcMode)) list.push({ type: 'ipc' });
  if (!isHost(UTSMode)) list.push({ type: 'uts' });
  if (input.netnsPath) list.push({ type: 'network', path: input.netnsPath });
  const ownCgroups = CgroupnsMode ? CgroupnsMode === 'private' : input.features.cgroupVersion === 2;
  if (ownCgroups) list.push({ type: 'cgroup' });
  return list;
}

const isHost = (mode: unknown): boolean => mode === 'host';

/** Those of the network namespace are set by who makes it. */
function namespacedSysctls(sysctls: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(sysctls).filter(([key]) => !key.startsWith('net.')));
}

/** A shared or slave mount needs a root that is no more private than itself. */
function propagationOf(mounts: readonly OciMount[]): { rootfsPropagation?: string } {
  const has = (kind: string) =>
    mounts.some(({ options }) => options.includes(kind) || options.includes(`r${kind}`));
  if (has('shared')) return { rootfsPropagation: 'shared' };
  if (has('slave')) return { rootfsPropagation: 'slave' };
  return {};
}
