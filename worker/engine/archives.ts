import { join } from 'node:path';
import { SwarmError } from '../../common/errors.ts';
import { newHexId } from '../../common/ids.ts';
import type { Random } from '../../common/random.ts';
import { MountFlag, mount } from '../runtime/libc.ts';
import { RootedFs } from '../runtime/rooted-fs.ts';
import { mountRootfs, readOnlyMounts, unmountRootfs } from '../runtime/rootfs.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type PathStat, readTree, readWhole, statPath } from './archive-read.ts';
import { writeTree } from './archive-write.ts';
import type { ContainerEntry } from './container.ts';
import type { EventBus } from './events.ts';
import type { MountPoint } from './record.ts';

export interface ArchivesComponents {
  readonly runtime: Runtime;
  readonly events: EventBus;
  readonly random: Random;
}

/** Files in and out of containers, running or not. */
export class Archives {
  readonly #parts: ArchivesComponents;
  readonly #dir: string;

  constructor(components: ArchivesComponents, init: { dir: string }) {
    this.#parts = components;
    this.#dir = init.dir;
  }

  async stat(entry: ContainerEntry, path: string): Promise<PathStat> {
    return this.#use(entry, path, (root) => statPath(root, path));
  }

  /** Fails before the first byte when there is nothing at `path`. */
  async read(entry: ContainerEntry, path: string): Promise<AsyncIterable<Buffer>> {
    await this.stat(entry, path);
    this.#parts.events.container('archive-path', entry.record);
    return this.#read(entry, path);
  }

  async write(
    entry: ContainerEntry,
    path: string,
    tar: AsyncIterable<Buffer>,
    options: { noOverwriteDirNonDir: boolean },
  ): Promise<void> {
    await this.#use(entry, path, async (root) => {
      checkDirectory(root, path);
      await writeTree(root, path, tar, options);
    });
    this.#parts.events.container('extract-to-dir', entry.record);
  }

  /** The container's file system without what is mounted into it. */
  async *export(entry: ContainerEntry): AsyncGenerator<Buffer> {
    const { events, random, runtime } = this.#parts;
    const mounts = readOnlyMounts(await runtime.snapshots.mounts(entry.id));
    const target = join(this.#dir, entry.id, `export-${newHexId(random).slice(0, 8)}`);
    await mountRootfs(mounts, target);
    const root = new RootedFs({ path: target });
    try {
      yield* readWhole(root);
      events.container('export', entry.record);
    } finally {
      root.close();
      await unmountRootfs(target);
    }
  }

  async *#read(entry: ContainerEntry, path: string): AsyncGenerator<Buffer> {
    const { root, close } = await this.#open(entry);
    try {
      yield* readTree(root, path);
    } finally {
      await close();
    }
  }

  async #use<T>(
    entry: ContainerEntry,
    path: string,
    action: (root: RootedFs) => Promise<T>,
  ): Promise<T> {
    const { root, close } = await this.#open(entry);
    try {
      return await action(root);
    } catch (error) {
      throw pathError(error, entry, path);
    } finally {
      await close();
    }
  }

  /** A running container's own view, or its file system mounted for us. */
  async #open(entry: ContainerEntry): Promise<OpenRoot> {
    const { pid } = entry.record.state;
    if (!entry.active || pid === 0) return this.#mount(entry);
    const root = new RootedFs({ path: `/proc/${pid}/root` });
    return { root, close: async () => root.close() };
  }

  /** Under the container's lock until it is closed: mounted twice, it could be damaged. */
  #mount(entry: ContainerEntry): Promise<OpenRoot> {
    return new Promise((resolve, reject) => {
      const held = entry.lock.run(async () => {
        const target = join(this.#dir, entry.id, 'mount');
        await mountRootfs(await this.#parts.runtime.snapshots.mounts(entry.id), target);
        const root = new RootedFs({ path: target });
        mountVolumes(root, entry.record.mounts);
        await new Promise<void>((release) => {
          const close = async () => {
            root.close();
            release();
            await held;
          };
          resolve({ root, close });
        });
        await unmountRootfs(target);
      });
      held.catch(reject);
    });
  }
}

interface OpenRoot {
  readonly root: RootedFs;
  close(): Promise<void>;
}

/** Those whose place exists; the others come with the first start. */
function mountVolumes(root: RootedFs, points: readonly MountPoint[]): void {
  for (const { destination, source, type } of points) {
    if (type === 'tmpfs') continue;
    try {
      const place = root.directory(destination);
      try {
        mount(source, place.path, '', MountFlag.bind | MountFlag.recursive, '');
      } finally {
        place.close();
      }
    } catch {
      // Not there yet, or a file: then the image's own content is what there is to see.
    }
  }
}

function checkDirectory(root: RootedFs, path: string): void {
  try {
    root.directory(path).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error;
    throw new SwarmError('SWM_INVALID_ARGUMENT', 'extraction point is not a directory');
  }
}

function pathError(error: unknown, entry: ContainerEntry, path: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const message = `Could not find the file ${path} in container ${entry.record.name}`;
    return new SwarmError('SWM_NOT_FOUND', message, { cause: error });
  }
  if (code === 'EROFS') {
    return new SwarmError('SWM_INVALID_ARGUMENT', 'mounted volume is marked read-only');
  }
  return error;
}
