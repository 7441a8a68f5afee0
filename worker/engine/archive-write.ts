import { constants } from 'node:fs';
import { chmod, lchown, link, lstat, lutimes, mkdir, open, rm, symlink } from 'node:fs/promises';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { extract, type Header } from 'tar-stream';
import { SwarmError } from '../../common/errors.ts';
import { decompressed } from '../runtime/image/compression.ts';
import { mkfifo, mknod } from '../runtime/libc.ts';
import type { Place, RootedFs } from '../runtime/rooted-fs.ts';

const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

export interface WriteTreeOptions {
  readonly noOverwriteDirNonDir: boolean;
}

/** Unpacks a tar (plain or gzip) into the directory `path` of a container. */
export async function writeTree(
  root: RootedFs,
  path: string,
  tar: AsyncIterable<Buffer>,
  options: WriteTreeOptions,
): Promise<void> {
  const source = Readable.from(await decompressed(tar), { objectMode: false });
  const entries = extract();
  source.once('error', (error) => entries.destroy(error));
  source.pipe(entries);
  // A directory's time is set last: its children change it.
  const directories: { path: string; mtime: Date }[] = [];
  for await (const entry of entries) {
    const { header } = entry;
    const target = inside(path, header.name);
    if (target === posix.normalize(`/${path}`) && header.type === 'directory') entry.resume();
    else {
      const bytes = entry as unknown as AsyncIterable<Buffer>;
      await writeEntry(root, path, target, header, bytes, options);
      if (header.type === 'directory' && header.mtime) {
        directories.push({ path: target, mtime: header.mtime });
      }
    }
    for await (const _ of entry as unknown as AsyncIterable<Buffer>);
  }
  for (const one of directories.reverse()) {
    await withPlace(root, one.path, (place) => lutimes(place.path, one.mtime, one.mtime));
  }
}

async function writeEntry(
  root: RootedFs,
  base: string,
  target: string,
  header: Header,
  bytes: AsyncIterable<Buffer>,
  options: WriteTreeOptions,
): Promise<void> {
  await makeParents(root, posix.dirname(target));
  await withPlace(root, target, async (place) => {
    const isDirectory = header.type === 'directory';
    const existing = await lstat(place.path).catch(() => undefined);
    if (existing) {
      checkOverwrite(header, existing.isDirectory(), options);
      if (!(isDirectory && existing.isDirectory())) {
        await rm(place.path, { recursive: true, force: true });
      }
    }
    const merges = isDirectory && existing?.isDirectory();
    if (!merges) await make(root, base, place, header, bytes);
    await applyMetadata(place, header);
  });
}

async function make(
  root: RootedFs,
  base: string,
  place: Place,
  header: Header,
  bytes: AsyncIterable<Buffer>,
): Promise<void> {
  const mode = header.mode ?? 0o644;
  switch (header.type) {
    case 'directory':
      return void (await mkdir(place.path, { mode }));
    case 'symlink':
      return symlink(header.linkname ?? '', place.path);
    case 'link':
      // To an entry of the same archive, so below the same directory.
      return withPlace(root, inside(base, header.linkname ?? ''), (other) =>
        link(other.path, place.path),
      );
    case 'fifo':
      return mkfifo(place.path, mode);
    case 'character-device':
    case 'block-device': {
      const kind = header.type === 'block-device' ? S_IFBLK : S_IFCHR;
      const device = { major: header.devmajor ?? 0, minor: header.devminor ?? 0 };
      return mknod(place.path, mode | kind, device);
    }
    default:
      return writeFile(place, mode, bytes);
  }
}

async function writeFile(place: Place, mode: number, bytes: AsyncIterable<Buffer>): Promise<void> {
  const file = await open(place.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  try {
    for await (const chunk of bytes) await file.write(chunk);
  } finally {
    await file.close();
  }
}

/** The owner before the mode, since a change of owner clears set-user-id. */
async function applyMetadata(place: Place, header: Header): Promise<void> {
  if (header.type === 'link') return;
  await lchown(place.path, header.uid ?? 0, header.gid ?? 0);
  if (header.type !== 'symlink') {
    // Just made or just looked at in a directory that is held: no link can be there.
    const file = await lstat(place.path);
    if (!file.isSymbolicLink()) await chmod(place.path, header.mode ?? 0o644);
  }
  if (header.mtime) await lutimes(place.path, header.mtime, header.mtime);
}

async function makeParents(root: RootedFs, dir: string): Promise<void> {
  let path = '/';
  for (const part of dir.split('/').filter(Boolean)) {
    path = posix.join(path, part);
    try {
      root.directory(path).close();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      await withPlace(root, path, (place) => mkdir(place.path));
    }
  }
}

function checkOverwrite(
  { name, type }: Header,
  existsAsDirectory: boolean,
  options: WriteTreeOptions,
): void {
  if (!options.noOverwriteDirNonDir || existsAsDirectory === (type === 'directory')) return;
  const message = existsAsDirectory
    ? `cannot overwrite directory "${name}" with non-directory`
    : `cannot overwrite non-directory "${name}" with directory`;
  throw new SwarmError('SWM_INVALID_ARGUMENT', message);
}

async function withPlace<T>(
  root: RootedFs,
  path: string,
  action: (place: Place) => Promise<T>,
): Promise<T> {
  const place = root.place(path);
  try {
    return await action(place);
  } finally {
    place.close();
  }
}

/** An entry's path below `base`; ".." cannot lead above it. */
function inside(base: string, name: string): string {
  return posix.join('/', base, posix.normalize(`/${name}`)).replace(/(.)\/$/, '$1');
}
