import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mount } from '../../proto/gen/containerd/types.ts';
import { layersOf, lookUp } from '../runtime/rootfs.ts';
import type { ContainerRecord } from './record.ts';

/** Docker's numbers: 0 modified, 1 added, 2 deleted. */
export interface Change {
  readonly Path: string;
  readonly Kind: 0 | 1 | 2;
}

/** Made by whoever mounts something there, not by the container's program. */
const MOUNTED_PLACES = ['/dev', '/proc', '/sys', '/etc/hostname', '/etc/hosts', '/etc/resolv.conf'];

/** What a container has changed in its image's file system: the content of its own layer. */
export async function containerChanges(
  record: ContainerRecord,
  rootfs: readonly Mount[],
): Promise<Change[]> {
  const [upper, ...lower] = layersOf(rootfs);
  if (upper === undefined) return [];
  const own = [...record.mounts.map(({ destination }) => destination), ...injectedPlaces(record)];
  const skipped = new Set([...MOUNTED_PLACES, ...own]);
  const changes: Change[] = [];
  const walk = async (dir: string): Promise<void> => {
    const entries = await readdir(join(upper, dir), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(dir, entry.name);
      if (skipped.has(path)) continue;
      changes.push({ Path: path, Kind: await kindOf(entry, join(upper, path), lower, path) });
      if (entry.isDirectory()) await walk(path);
    }
  };
  await walk('/');
  return changes;
}

async function kindOf(
  entry: Dirent,
  upperPath: string,
  lower: readonly string[],
  path: string,
): Promise<Change['Kind']> {
  const whiteout = entry.isCharacterDevice() && (await lstat(upperPath)).rdev === 0;
  if (whiteout) return 2;
  return (await lookUp(lower, path)) ? 0 : 1;
}

const injectedPlaces = ({ injected }: ContainerRecord): string[] =>
  injected.map(({ target }) => target);
