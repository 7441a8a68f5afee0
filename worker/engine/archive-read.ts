import { constants, createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { posix } from 'node:path';
import type { Writable } from 'node:stream';
import { type Header, type Pack, pack } from 'tar-stream';
import { holdDirectory, openChild, type Place, type RootedFs } from '../runtime/rooted-fs.ts';

type NewHeader = Partial<Header> & { name: string };

/** Go's os.FileMode bits, in which Docker's clients read a file's type. */
const GO_MODE = {
  dir: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  pipe: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  charDevice: 2 ** 21,
  sticky: 2 ** 20,
};

export interface PathStat {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly mtime: string;
  readonly linkTarget: string;
}

/** What a path in a container is; a link is not followed, but its target told. */
export async function statPath(root: RootedFs, path: string): Promise<PathStat> {
  const place = root.place(path);
  try {
    const stats = await lstat(place.path);
    const target = stats.isSymbolicLink() ? await readlink(place.path) : '';
    const dir = posix.dirname(posix.normalize(`/${path}`));
    return {
      name: place.name,
      size: stats.size,
      mode: goMode(stats),
      mtime: stats.mtime.toISOString(),
      linkTarget: target && posix.resolve(dir, target),
    };
  } finally {
    place.close();
  }
}

/** A tar of `path` and all below it, named as `docker cp` expects. */
export async function* readTree(root: RootedFs, path: string): AsyncGenerator<Buffer> {
  const tar = pack();
  const place = root.place(path);
  const name = path.endsWith('/.') || place.name === '' ? '.' : place.name;
  yield* written(tar, place, () => writeEntry(tar, place.path, name, new Map()));
}

/** A tar of everything, with names that begin at the root. */
export async function* readWhole(root: RootedFs): AsyncGenerator<Buffer> {
  const tar = pack();
  const place = root.place('/');
  yield* written(tar, place, () => writeChildren(tar, place.path, '', new Map()));
}

async function* written(
  tar: Pack,
  place: Place,
  write: () => Promise<void>,
): AsyncGenerator<Buffer> {
  const writing = write()
    .then(() => tar.finalize())
    .catch((error: Error) => tar.destroy(error));
  try {
    yield* tar as unknown as AsyncIterable<Buffer>;
  } finally {
    tar.destroy();
    await writing;
    place.close();
  }
}

/** `seen` has the first name of each file with several: the others become hard links. */
async function writeEntry(
  tar: Pack,
  path: string,
  name: string,
  seen: Map<string, string>,
): Promise<void> {
  const stats = await lstat(path);
  const common = {
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    mtime: stats.mtime,
  };
  if (stats.isDirectory()) {
    await add(tar, { ...common, name: `${name}/`, type: 'directory' });
    return writeChildren(tar, path, name, seen);
  }
  if (stats.isSymbolicLink()) {
    return add(tar, { ...common, name, type: 'symlink', linkname: await readlink(path) });
  }
  if (stats.isFIFO()) return add(tar, { ...common, name, type: 'fifo' });
  if (stats.isCharacterDevice() || stats.isBlockDevice()) {
    const type = stats.isBlockDevice() ? 'block-device' : 'character-device';
    const devmajor = Math.floor(stats.rdev / 256) & 0xfff;
    const devminor = (stats.rdev & 0xff) | (Math.floor(stats.rdev / 0x1000) & 0xfff00);
    return add(tar, { ...common, name, type, devmajor, devminor });
  }
  // Sockets mean nothing to another process.
  if (!stats.isFile()) return;
  const inode = `${stats.dev}:${stats.ino}`;
  const first = stats.nlink > 1 ? seen.get(inode) : undefined;
  if (first) return add(tar, { ...common, name, type: 'link', linkname: first });
  if (stats.nlink > 1) seen.set(inode, name);
  await addFile(tar, path, { ...common, name, size: stats.size });
}

async function writeChildren(
  tar: Pack,
  path: string,
  name: string,
  seen: Map<string, string>,
): Promise<void> {
  const dir = holdDirectory(path);
  try {
    for (const child of (await readdir(dir.path)).sort()) {
      await writeEntry(tar, `${dir.path}/${child}`, name ? `${name}/${child}` : child, seen);
    }
  } finally {
    dir.close();
  }
}

function add(tar: Pack, header: NewHeader): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    (tar.entry(header, done) as unknown as Writable).end();
  });
}

/** A file that shrinks meanwhile is filled up with zeros; what it grows by is left out. */
function addFile(tar: Pack, path: string, header: NewHeader & { size: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    const entry = tar.entry(header, done) as unknown as Writable;
    if (header.size === 0) return void entry.end();
    const fd = openChild(path, constants.O_RDONLY);
    copyExactly(fd, header.size, entry).catch((error: Error) => entry.destroy(error));
  });
}

async function copyExactly(fd: number, size: number, entry: Writable): Promise<void> {
  let missing = size;
  const write = async (chunk: Buffer) => {
    missing -= chunk.length;
    if (!entry.write(chunk)) await new Promise<void>((resolve) => entry.once('drain', resolve));
  };
  for await (const chunk of createReadStream('', { fd, end: size - 1 })) await write(chunk);
  while (missing > 0) await write(Buffer.alloc(Math.min(missing, 64 * 1024)));
  entry.end();
}

function goMode(stats: Awaited<ReturnType<typeof lstat>>): number {
  const { mode } = stats as { mode: number };
  let result = mode & 0o777;
  if (stats.isDirectory()) result += GO_MODE.dir;
  if (stats.isSymbolicLink()) result += GO_MODE.symlink;
  if (stats.isFIFO()) result += GO_MODE.pipe;
  if (stats.isSocket()) result += GO_MODE.socket;
  if (stats.isBlockDevice() || stats.isCharacterDevice()) result += GO_MODE.device;
  if (stats.isCharacterDevice()) result += GO_MODE.charDevice;
  if (mode & 0o4000) result += GO_MODE.setuid;
  if (mode & 0o2000) result += GO_MODE.setgid;
  if (mode & 0o1000) result += GO_MODE.sticky;
  return result;
}
