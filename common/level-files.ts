import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from './atomic-file.ts';

const MANIFEST = /^MANIFEST-\d+$/;
const DATA = /^\d+\.(log|ldb|sst)$/;

/**
 * To be called before LevelDB opens `dir`. Without its file CURRENT, which names the manifest, it would
 * make a new database there and delete the old one. With one manifest there is no doubt which it was,
 * and the file is written anew; throws an Error that says what is wrong if there is doubt. Resolves
 * with what was repaired, if anything.
 */
export async function checkLevelFiles(dir: string): Promise<string | undefined> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  // Nothing was ever stored: its making may have been cut short, and LevelDB begins again.
  if (!names.some((name) => DATA.test(name))) return undefined;
  const manifests = names.filter((name) => MANIFEST.test(name));
  const current = names.includes('CURRENT') ? await readFile(join(dir, 'CURRENT'), 'latin1') : '';
  if (manifests.some((name) => current === `${name}\n`)) return undefined;
  const [manifest, ...others] = manifests;
  if (manifest === undefined) throw new Error('its MANIFEST file is missing');
  if (others.length > 0) {
    throw new Error(
      `CURRENT names none of ${manifests.sort().join(', ')}, one of which is its own`,
    );
  }
  await writeFileAtomic(join(dir, 'CURRENT'), `${manifest}\n`, 0o644);
  return `${join(dir, 'CURRENT')} was damaged, and names ${manifest} again`;
}
