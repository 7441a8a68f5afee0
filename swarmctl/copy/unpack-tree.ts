import { createWriteStream } from 'node:fs';
import { chmod, lchown, link, lutimes, mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { CliError } from '../cli-error.ts';

export interface UnpackOptions {
  /** Restore user and group. */
  readonly keepOwner: boolean;
}

/**
 * Unpacks a tar whose first component is the thing itself: that becomes `target`, and what is below
 * it goes below. An archive cannot lead out of `target`. Returns the bytes of its files.
 */
export async function unpackTree(
  source: Readable,
  target: string,
  options: UnpackOptions,
): Promise<number> {
  const entries = extract();
  const reading = pipeline(source, entries);
  reading.catch(() => {}); // The loop below throws it.
  const writer = new TreeWriter(target, options);
  for await (const entry of entries) {
    await writer.write(entry.header, entry as unknown as Readable);
    entry.resume();
  }
  await reading;
  await writer.finish();
  return writer.bytes;
}

class TreeWriter {
  readonly #target: string;
  readonly #options: UnpackOptions;
  /** Links that this archive made: nothing may be written through them. */
  readonly #links = new Set<string>();
  /** Their times are set last, since their children change them. */
  readonly #directories: { path: string; header: Header }[] = [];
  bytes = 0;

  constructor(target: string, options: UnpackOptions) {
    this.#target = target;
    this.#options = options;
  }

  async write(header: Header, content: Readable): Promise<void> {
    const path = this.#place(header.name);
    if (header.type === 'directory') {
      await mkdir(path, { recursive: true });
      this.#directories.push({ path, header });
      return;
    }
    await mkdir(dirname(path), { recursive: true });
    if (header.type === 'file' || header.type === 'contiguous-file') {
      await this.#replace(path);
      this.bytes += header.size ?? 0;
      await pipeline(content, createWriteStream(path, { flags: 'wx' }));
      await this.#restore(path, header);
    } else if (header.type === 'symlink') {
      await this.#replace(path);
      await symlink(header.linkname ?? '', path);
      this.#links.add(path);
      await this.#restore(path, header);
    } else if (header.type === 'link') {
      await this.#replace(path);
      await link(this.#place(header.linkname ?? ''), path);
    }
    // Devices and pipes stay where they are.
  }

  async finish(): Promise<void> {
    for (const { path, header } of this.#directories.reverse()) await this.#restore(path, header);
  }

  /** Names are not normalized: the first component may be a dot. */
  #place(name: string): string {
    const [, ...rest] = name.replace(/\/+$/, '').split('/');
    const path = join(this.#target, ...rest);
    const through = [...this.#links].some((made) => path.startsWith(`${made}/`));
    if (!rest.includes('..') && !through) return path;
    throw new CliError(`the archive has an entry that leads out of it: ${name}`);
  }

  async #replace(path: string): Promise<void> {
    await rm(path, { force: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_FS_EISDIR') throw error;
      throw new CliError(`cannot overwrite directory "${path}" with what is none`);
    });
    this.#links.delete(path);
  }

  async #restore(path: string, header: Header): Promise<void> {
    if (this.#options.keepOwner) await lchown(path, header.uid ?? 0, header.gid ?? 0);
    if (header.type !== 'symlink' && header.mode !== undefined) await chmod(path, header.mode);
    if (header.mtime) await lutimes(path, header.mtime, header.mtime);
  }
}
