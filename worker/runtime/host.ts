import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostFeatures } from './oci/spec.ts';

const CGROUP_ROOT = '/sys/fs/cgroup';
const LAST_CAP_BEFORE_5_9 = 39;

/** Asks the kernel what it has. */
export async function hostFeatures(): Promise<HostFeatures> {
  const lastCap = Number.parseInt(await textOf('/proc/sys/kernel/cap_last_cap'), 10);
  const cgroupVersion = (await exists(join(CGROUP_ROOT, 'cgroup.controllers'))) ? 2 : 1;
  return {
    lastCap: Number.isNaN(lastCap) ? LAST_CAP_BEFORE_5_9 : lastCap,
    cgroupVersion,
    swapAccounting: await hasSwapAccounting(cgroupVersion),
    seccomp: await exists('/proc/sys/kernel/seccomp/actions_avail'),
  };
}

async function hasSwapAccounting(cgroupVersion: 1 | 2): Promise<boolean> {
  if (cgroupVersion === 1) {
    return exists(join(CGROUP_ROOT, 'memory/memory.memsw.limit_in_bytes'));
  }
  // The root has no limits; our own group has the file when the kernel counts swap.
  const own = /^0::(.*)$/m.exec(await textOf('/proc/self/cgroup'))?.[1] ?? '/';
  return exists(join(CGROUP_ROOT, own, 'memory.swap.max'));
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
