import { SwarmError } from '../../common/errors.ts';
import { signalNumber } from '../runtime/signals.ts';
import { logSettings } from './logging.ts';
import { portBindings, sandboxMode } from './network-plan.ts';
import type { ContainerConfig, HostConfig } from './types.ts';

const MEMORY_MIN_BYTES = 6 * 1024 * 1024;
const CPU_MIN = 0.01;
const RESTART_POLICIES = ['', 'no', 'always', 'on-failure', 'unless-stopped'];

/** What Docker refuses at creation. Throws SWM_INVALID_ARGUMENT with its words. */
export function validate(
  config: ContainerConfig,
  host: HostConfig,
  machine: { readonly cpus: number },
): void {
  if (config.StopSignal) signalNumber(config.StopSignal);
  if (config.WorkingDir && !config.WorkingDir.startsWith('/')) {
    throw invalid(
      `the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`,
    );
  }
  for (const entry of config.Env ?? []) {
    if (entry.startsWith('=') || entry === '')
      throw invalid(`invalid environment variable: ${entry}`);
  }
  checkRestartPolicy(host);
  checkResources(host, machine.cpus);
  checkNamespaces(host);
  sandboxMode(host);
  portBindings(config, host);
  logSettings(host);
  for (const { Name, Soft, Hard } of host.Ulimits ?? []) {
    if (Hard !== -1 && Soft > Hard) {
      throw invalid(
        `ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard} (${Name})`,
      );
    }
  }
}

function checkNamespaces({ CgroupParent, IpcMode, PidMode }: HostConfig): void {
  for (const [what, mode] of [['PID', PidMode] as const, ['IPC', IpcMode] as const]) {
    if (!mode?.startsWith('container:')) continue;
    const message = `sharing another container's ${what} namespace is not supported`;
    throw new SwarmError('SWM_NOT_IMPLEMENTED', message);
  }
  if (CgroupParent && !CgroupParent.startsWith('/')) {
    throw invalid(`cgroup-parent "${CgroupParent}" must be an absolute path of control groups`);
  }
}

function checkRestartPolicy({ RestartPolicy, AutoRemove }: HostConfig): void {
  const { Name = '', MaximumRetryCount = 0 } = RestartPolicy ?? {};
  if (!RESTART_POLICIES.includes(Name)) {
    throw invalid(
      `invalid restart policy: unknown policy '${Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (MaximumRetryCount < 0) {
    throw invalid('invalid restart policy: maximum retry count cannot be negative');
  }
  if (MaximumRetryCount > 0 && Name !== 'on-failure') {
    throw invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (AutoRemove && Name !== '' && Name !== 'no') {
    throw invalid("can't create 'AutoRemove' container with restart policy");
  }
}

function checkResources(host: HostConfig, cpus: number): void {
  const { Memory = 0, MemorySwap = 0, NanoCpus = 0, MemoryReservation = 0 } = host;
  if (Memory > 0 && Memory < MEMORY_MIN_BYTES) {
    throw invalid('Minimum memory limit allowed is 6MB');
  }
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (Memory > 0 && MemoryReservation > Memory) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
  const wanted = NanoCpus / 1e9;
  if (NanoCpus < 0 || wanted > cpus || (NanoCpus > 0 && wanted < CPU_MIN)) {
    throw invalid(
      `range of CPUs is from ${CPU_MIN.toFixed(2)} to ${cpus.toFixed(2)}, as there are only ${cpus} CPUs available`,
    );
  }
}

function invalid(message: string): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', message);
}
