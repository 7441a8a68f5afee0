import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const BLOCK_BYTES = 512;

/** Bytes that a directory's files take on the disk; hard links count once. */
export async function diskUsage(root: string): Promise<number> {
  const seen = new Set<string>();
  let total = 0;
  const pending = [root];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const stats = await lstat(path).catch(() => undefined);
    if (!stats) continue;
    const inode = `${stats.dev}:${stats.ino}`;
    if (stats.nlink > 1 && !stats.isDirectory() && seen.has(inode)) continue;
    seen.add(inode);
    total += stats.blocks * BLOCK_BYTES;
    if (!stats.isDirectory()) continue;
    for (const name of await readdir(path).catch(() => [])) pending.push(join(path, name));
  }
  return total;
}
