import type { OciMount } from './types.ts';

const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

/** What every container has below /proc, /sys and /dev. */
export function systemMounts(init: {
  privileged: boolean;
  shmBytes: number;
  hostIpc: boolean;
}): OciMount[] {
  const access = init.privileged ? 'rw' : 'ro';
  const nothing = ['nosuid', 'noexec', 'nodev'];
  const mount = (destination: string, type: string, source: string, options: string[]) => ({
    destination,
    type,
    source,
    options,
  });
  return [
    mount('/proc', 'proc', 'proc', nothing),
    mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', 'devpts', [
      'nosuid',
      'noexec',
      'newinstance',
      'ptmxmode=0666',
      'mode=0620',
      'gid=5',
    ]),
    mount('/sys', 'sysfs', 'sysfs', [...nothing, access]),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', [...nothing, access]),
    // A message queue file system shows the queues of whatever IPC namespace it is mounted in.
    mount('/dev/mqueue', 'mqueue', 'mqueue', nothing),
    init.hostIpc
      ? bindMount('/dev/shm', '/dev/shm', {})
      : mount('/dev/shm', 'tmpfs', 'shm', [
          ...nothing,
          'mode=1777',
          `size=${init.shmBytes > 0 ? init.shmBytes : DEFAULT_SHM_BYTES}`,
        ]),
  ];
}

/** `path` becomes visible at `destination`. */
export function bindMount(
  source: string,
  destination: string,
  init: { readOnly?: boolean; propagation?: string; recursive?: boolean },
): OciMount {
  return {
    destination,
    type: 'bind',
    source,
    options: [
      init.recursive === false ? 'bind' : 'rbind',
      init.readOnly ? 'ro' : 'rw',
      init.propagation || 'rprivate',
    ],
  };
}

/** `options` as mount(8) takes them, in one word: size=64m,mode=1770. */
export function tmpfsMount(destination: string, options: string): OciMount {
  return {
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', 'noexec', ...options.split(',').filter(Boolean)],
  };
}

/**
 * The system's mounts without those that the user replaces, then the user's, parents before their
 * children. Among equal destinations the later one wins.
 */
export function orderMounts(system: readonly OciMount[], user: readonly OciMount[]): OciMount[] {
  const byDestination = new Map(user.map((mount) => [mount.destination, mount]));
  const depth = ({ destination }: OciMount) => destination.split('/').filter(Boolean).length;
  return [
    ...system.filter(({ destination }) => !byDestination.has(destination)),
    ...[...byDestination.values()].sort((a, b) => depth(a) - depth(b)),
  ];
}
