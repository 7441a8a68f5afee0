import { access, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SwarmError } from '../../common/errors.ts';
import type { Mount } from '../../proto/gen/containerd/types.ts';
import { bindMount, tmpfsMount } from '../runtime/oci/mounts.ts';
import { type HostFeatures, INIT_PATH, type SpecInput } from '../runtime/oci/spec.ts';
import type { OciDevice, OciMount } from '../runtime/oci/types.ts';
import { resolveUser } from '../runtime/oci/user.ts';
import { readRootfsFile } from '../runtime/rootfs.ts';
import type { ContainerRecord, MountPoint } from './record.ts';

const INIT_PROGRAMS = [
  '/usr/libexec/docker/docker-init',
  '/usr/bin/docker-init',
  '/usr/local/bin/docker-init',
  '/usr/bin/tini-static',
  '/usr/bin/tini',
  '/sbin/tini',
];

/** Asks the machine everything that a container's specification needs. */
export async function specInput(
  record: ContainerRecord,
  world: {
    readonly rootfs: readonly Mount[];
    readonly hostname: string;
    readonly netnsPath: string;
    readonly filesDir: string;
    readonly cgroupParent: string;
    readonly features: HostFeatures;
  },
): Promise<SpecInput> {
  const { config, hostConfig } = record;
  const [passwd, group, devices, mounts, profile] = await Promise.all([
    readRootfsFile(world.rootfs, '/etc/passwd'),
    readRootfsFile(world.rootfs, '/etc/group'),
    devicesOf(record),
    mountsOf(record, world.filesDir),
    customSeccomp(record),
  ]);
  return {
    id: record.id,
    config,
    hostConfig,
    hostname: world.hostname,
    user: resolveUser(config.User ?? '', hostConfig.GroupAdd ?? [], { passwd, group }),
    mounts,
    devices,
    netnsPath: world.netnsPath,
    cgroupParent: world.cgroupParent,
    features: world.features,
    ...(profile === undefined ? {} : { seccompProfile: profile }),
  };
}

async function mountsOf(record: ContainerRecord, filesDir: string): Promise<OciMount[]> {
  const etc = ['hostname', 'hosts', 'resolv.conf'].map((name) =>
    bindMount(join(filesDir, name), `/etc/${name}`, { readOnly: false }),
  );
  const user = await Promise.all(record.mounts.map(mountOf));
  const injected = record.injected.map(({ source, target }) =>
    bindMount(source, target, { readOnly: true }),
  );
  for (const { source } of record.injected) await mustExist(source, 'secret or config');
  const init = record.hostConfig.Init
    ? [bindMount(await findInit(), INIT_PATH, { readOnly: true })]
    : [];
  // Later ones win: a user's own /etc/hosts replaces ours.
  return [...init, ...etc, ...user, ...injected];
}

async function mountOf(point: MountPoint): Promise<OciMount> {
  if (point.type === 'tmpfs') return tmpfsMount(point.destination, point.tmpfsOptions);
  await mustExist(point.source, `${point.type} source`);
  return bindMount(point.source, point.destination, {
    readOnly: !point.readWrite,
    propagation: point.propagation,
    recursive: !point.nonRecursive,
  });
}

async function mustExist(path: string, what: string): Promise<void> {
  if (await exists(path)) return;
  const message = `error while creating mount source path: ${what} ${path} does not exist`;
  throw new SwarmError('SWM_INVALID_ARGUMENT', message);
}

async function findInit(): Promise<string> {
  for (const path of INIT_PROGRAMS) if (await exists(path)) return path;
  throw new SwarmError(
    'SWM_FAILED_PRECONDITION',
    'the container asks for an init process, and this node has neither docker-init nor tini',
    { hint: 'Install the package tini, or run the container without --init.' },
  );
}

async function devicesOf(
  record: ContainerRecord,
): Promise<{ device: OciDevice; access: string }[]> {
  const { Devices, Privileged } = record.hostConfig;
  if (Privileged) return (await hostDevices()).map((device) => ({ device, access: 'rwm' }));
  const asked = (Devices ?? []).map(async (one) => {
    const device = await deviceAt(one.PathOnHost, one.PathInContainer || one.PathOnHost);
    if (!device) {
      const message = `error gathering device information while adding custom device "${one.PathOnHost}": no such file or directory`;
      throw new SwarmError('SWM_INVALID_ARGUMENT', message);
    }
    return { device, access: one.CgroupPermissions || 'rwm' };
  });
  return Promise.all(asked);
}

/** Those of /dev itself and its folders, without what a container has of its own. */
async function hostDevices(): Promise<OciDevice[]> {
  const skipped = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', 'ptmx', '.udev', 'hugepages']);
  const found: OciDevice[] = [];
  const pending = ['/dev'];
  for (let dir = pending.pop(); dir !== undefined; dir = pending.pop()) {
    for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => [])) {
      const path = join(dir, entry.name);
      if (dir === '/dev' && skipped.has(entry.name)) continue;
      if (entry.isDirectory()) pending.push(path);
      else if (entry.isCharacterDevice() || entry.isBlockDevice()) {
        const device = await deviceAt(path, path);
        if (device) found.push(device);
      }
    }
  }
  return found;
}

async function deviceAt(hostPath: string, path: string): Promise<OciDevice | undefined> {
  const stats = await stat(hostPath).catch(() => undefined);
  if (!stats || !(stats.isCharacterDevice() || stats.isBlockDevice())) return undefined;
  // The kernel's encoding of device numbers in 64 bits, for majors and minors below 2^12 and 2^20.
  const major = Math.floor(stats.rdev / 256) & 0xfff;
  const minor = (stats.rdev & 0xff) | (Math.floor(stats.rdev / 0x1000) & 0xfff00);
  return {
    path,
    type: stats.isBlockDevice() ? 'b' : 'c',
    major,
    minor,
    fileMode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
  };
}

/** The CLI sends the profile's text; other clients may name a file. */
async function customSeccomp({ hostConfig }: ContainerRecord): Promise<string | undefined> {
  for (const option of hostConfig.SecurityOpt ?? []) {
    const value = /^seccomp[:=](.*)$/s.exec(option)?.[1];
    if (value === undefined || value === 'unconfined' || value === 'builtin') continue;
    if (value.trimStart().startsWith('{')) return value;
    return readFile(value, 'utf8').catch(() => {
      const message = `opening seccomp profile (${value}) failed`;
      throw new SwarmError('SWM_INVALID_ARGUMENT', message);
    });
  }
  return undefined;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
