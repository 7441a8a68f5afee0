import type { Stats } from 'node:fs';
import { lstat, mkdir, readFile, readlink, rmdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Mount } from '../../proto/gen/containerd/types.ts';
import { MountFlag, mount, unmount } from './libc.ts';

const LINKS_MAX = 40;

/**
 * The text of a file in a root file system that is not mounted, found by looking through the layers
 * of its overlay from the top. '' when it does not exist.
 */
export async function readRootfsFile(mounts: readonly Mount[], path: string): Promise<string> {
  const layers = layersOf(mounts);
  let rest = path.split('/').filter(Boolean);
  let resolved = '/';
  for (let links = 0; rest.length > 0; ) {
    const next = posix.join(resolved, rest[0] as string);
    const found = await lookUp(layers, next);
    if (!found) return '';
    rest = rest.slice(1);
    if (!found.stats.isSymbolicLink()) {
      resolved = next;
      continue;
    }
    if (++links > LINKS_MAX) return '';
    // Links are the container's: an absolute one begins at its root.
    const target = posix.resolve(resolved, await readlink(found.path));
    rest = [...target.split('/').filter(Boolean), ...rest];
    resolved = '/';
  }
  const file = await lookUp(layers, resolved);
  return file?.stats.isFile() ? readFile(file.path, 'utf8') : '';
}

/**
 * The same file system to look at only, which may be mounted while a container has it: its writable
 * layer becomes the topmost of those that are read.
 */
export function readOnlyMounts(mounts: readonly Mount[]): Mount[] {
  const layers = layersOf(mounts);
  const [only] = layers;
  if (layers.length === 1 && only) {
    return [{ type: 'bind', source: only, target: '', options: ['rbind', 'ro'] }];
  }
  const options = ['ro', `lowerdir=${layers.join(':')}`];
  return [{ type: 'overlay', source: 'overlay', target: '', options }];
}

/** Mounts a root file system at `target` while `action` runs. */
export async function withMounted<T>(
  mounts: readonly Mount[],
  target: string,
  action: (root: string) => Promise<T>,
): Promise<T> {
  await mountRootfs(mounts, target);
  try {
    return await action(target);
  } finally {
    await unmountRootfs(target);
  }
}

/** Makes `target` and mounts a root file system there. */
export async function mountRootfs(mounts: readonly Mount[], target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  try {
    for (const one of mounts) mountOne(one, target);
  } catch (error) {
    await rmdir(target).catch(() => {});
    throw error;
  }
}

/** With all that was mounted inside of it. */
export async function unmountRootfs(target: string): Promise<void> {
  unmount(target);
  await rmdir(target);
}

/** Directories from the upper to the lowest. */
export function layersOf(mounts: readonly Mount[]): string[] {
  return mounts.flatMap((one) => {
    if (one.type === 'bind') return [one.source];
    const option = (name: string) =>
      one.options.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1);
    const upper = option('upperdir');
    return [...(upper ? [upper] : []), ...(option('lowerdir')?.split(':') ?? [])];
  });
}

/** The file that an overlay of `layers` shows at `path`; links are not followed. */
export async function lookUp(
  layers: readonly string[],
  path: string,
): Promise<{ path: string; stats: Stats } | undefined> {
  for (const layer of layers) {
    const candidate = join(layer, path);
    const stats = await lstat(candidate).catch(() => undefined);
    // A character device 0:0 is a whiteout: deleted here, whatever is below.
    if (stats?.isCharacterDevice() && stats.rdev === 0) return undefined;
    if (stats) return { path: candidate, stats };
  }
  return undefined;
}

const FLAGS: Readonly<Record<string, number>> = {
  ro: MountFlag.readOnly,
  bind: MountFlag.bind,
  rbind: MountFlag.bind | MountFlag.recursive,
  nosuid: MountFlag.noSuid,
  nodev: MountFlag.noDev,
  noexec: MountFlag.noExec,
};

function mountOne(one: Mount, target: string): void {
  const flags = one.options.reduce((sum, option) => sum | (FLAGS[option] ?? 0), 0);
  const data = one.options.filter((option) => !(option in FLAGS) && option !== 'rw').join(',');
  mount(one.source, target, one.type, flags, data);
}
