import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Header, type Pack, pack } from 'tar-stream';

type NewHeader = Partial<Header> & { name: string };

export interface PackOptions {
  /** What `path` itself is called in the archive; '.' for its content alone. */
  readonly name: string;
  /** Links named by the caller are followed; those below never are. */
  readonly followLink: boolean;
  /** Keep user and group; else everything belongs to root. */
  readonly keepOwner: boolean;
}

/** A tar of `path` and all below it. */
export function packTree(path: string, options: PackOptions): Readable {
  const tar = pack();
  packAll(tar, path, options)
    .then(() => tar.finalize())
    .catch((error: Error) => tar.destroy(error));
  return tar as unknown as Readable;
}

async function packAll(tar: Pack, path: string, options: PackOptions): Promise<void> {
  const first = options.followLink ? await stat(path) : await lstat(path);
  await packEntry(tar, { path, name: options.name, stats: first }, options);
}

interface Item {
  readonly path: string;
  readonly name: string;
  readonly stats: Stats;
}

async function packEntry(tar: Pack, item: Item, options: PackOptions): Promise<void> {
  const { path, name, stats } = item;
  const header = {
    name,
    mode: stats.mode & 0o7777,
    mtime: stats.mtime,
    uid: options.keepOwner ? stats.uid : 0,
    gid: options.keepOwner ? stats.gid : 0,
  };
  if (stats.isDirectory()) {
    await add(tar, { ...header, name: `${name}/`, type: 'directory' });
    for (const child of (await readdir(path)).sort()) {
      const inner = join(path, child);
      const next = { path: inner, name: `${name}/${child}`, stats: await lstat(inner) };
      await packEntry(tar, next, options);
    }
  } else if (stats.isSymbolicLink()) {
    await add(tar, { ...header, type: 'symlink', linkname: await readlink(path) });
  } else if (stats.isFIFO()) {
    await add(tar, { ...header, type: 'fifo' });
  } else if (stats.isFile()) {
    await addFile(tar, path, { ...header, type: 'file', size: stats.size });
  }
  // Sockets and devices mean nothing elsewhere.
}

function add(tar: Pack, header: NewHeader): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    (tar.entry(header, done) as unknown as Writable).end();
  });
}

async function addFile(
  tar: Pack,
  path: string,
  header: NewHeader & { readonly size: number },
): Promise<void> {
  if (header.size === 0) return add(tar, header);
  const entry = tar.entry(header) as unknown as Writable;
  // A file that grows meanwhile is cut: its length is already told.
  await pipeline(createReadStream(path, { end: header.size - 1 }), entry);
}
