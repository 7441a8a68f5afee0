import type { HostConfig } from '../../engine/types.ts';
import type { OciDevice, OciDeviceRule, OciResources } from './types.ts';

const CPU_PERIOD_US = 100_000;

/** Limits and device rules of a container, from its HostConfig. */
export function resources(
  host: HostConfig,
  devices: readonly { device: OciDevice; access: string }[],
  features: { readonly swapAccounting: boolean },
): OciResources {
  const memory = memoryLimits(host, features.swapAccounting);
  const cpu = cpuLimits(host);
  const pids = host.PidsLimit ?? 0;
  return {
    devices: deviceRules(host, devices),
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(pids > 0 ? { pids: { limit: pids } } : {}),
  };
}

/** runc adds the harmless devices (null, zero, random, tty, ptmx, …) to whatever is said here. */
function deviceRules(
  host: HostConfig,
  devices: readonly { device: OciDevice; access: string }[],
): OciDeviceRule[] {
  if (host.Privileged) return [{ allow: true, access: 'rwm' }];
  const granted = devices.map(({ device: { type, major, minor }, access }) => ({
    allow: true,
    type,
    major,
    minor,
    access,
  }));
  return [{ allow: false, access: 'rwm' }, ...granted];
}

function memoryLimits(
  host: HostConfig,
  swapAccounting: boolean,
): NonNullable<OciResources['memory']> {
  const limit = host.Memory ?? 0;
  const swappiness = host.MemorySwappiness ?? -1;
  return {
    ...(limit > 0 ? { limit } : {}),
    ...(host.MemoryReservation ? { reservation: host.MemoryReservation } : {}),
    // As Docker: memory and swap together may be twice the memory, unless said otherwise.
    ...(limit > 0 && swapAccounting ? { swap: host.MemorySwap || limit * 2 } : {}),
    ...(swappiness >= 0 ? { swappiness } : {}),
    ...(host.OomKillDisable ? { disableOOMKiller: true } : {}),
  };
}

function cpuLimits(host: HostConfig): NonNullable<OciResources['cpu']> {
  const quota = host.NanoCpus
    ? Math.round((host.NanoCpus * CPU_PERIOD_US) / 1e9)
    : (host.CpuQuota ?? 0);
  const period = host.NanoCpus ? CPU_PERIOD_US : (host.CpuPeriod ?? 0);
  return {
    ...(host.CpuShares ? { shares: host.CpuShares } : {}),
    ...(quota ? { quota } : {}),
    ...(period ? { period } : {}),
    ...(host.CpusetCpus ? { cpus: host.CpusetCpus } : {}),
    ...(host.CpusetMems ? { mems: host.CpusetMems } : {}),
  };
}
