import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import { importRootfs } from '../runtime/image/import.ts';
import { loadArchive } from '../runtime/image/load.ts';
import { parsePlatform } from '../runtime/image/platform.ts';
import {
  canonicalName,
  familiarName,
  familiarReference,
  isDigest,
  parseReference,
} from '../runtime/image/reference.ts';
import { saveArchive } from '../runtime/image/save.ts';
import type { ImageName, NamedImage, StoredImage } from '../runtime/image/store.ts';
import { chainIds } from '../runtime/image/unpack.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { EventBus } from './events.ts';
import { imageDetail, imageSummary } from './image-view.ts';
import type { ContainerRecord } from './record.ts';
import type { ImageDetail, ImageSummary, ImagesApi, RegistryAuth } from './types.ts';

export interface ImagesComponents {
  readonly clock: Clock;
  readonly runtime: Runtime;
  readonly events: EventBus;
  /** The containers that exist; they keep their images from being removed. */
  readonly containers: () => readonly ContainerRecord[];
}

type Removed = { Untagged?: string; Deleted?: string };

/** Docker's image operations. */
export class Images implements ImagesApi {
  readonly #parts: ImagesComponents;
  /** Unpacked sizes by chain id; they never change. */
  readonly #sizes = new Map<string, number>();

  constructor(components: ImagesComponents) {
    this.#parts = components;
  }

  async pull(reference: string, options: Parameters<ImagesApi['pull']>[1]): Promise<ImageDetail> {
    const { runtime } = this.#parts;
    const parsed = parseReference(reference);
    const { auth, progress, signal } = options;
    const platform = options.platform
      ? parsePlatform(options.platform, runtime.platform)
      : runtime.platform;
    const image = await runtime.puller.pull(parsed, { platform, auth, progress, signal });
    this.#event('pull', familiarReference(parsed), familiarName(parsed));
    return this.inspect(image.id);
  }

  async load(tar: AsyncIterable<Buffer>): Promise<string[]> {
    const { clock, runtime } = this.#parts;
    const components = { ...parts(runtime), now: () => clock.now() };
    const loaded = await loadArchive(components, tar, { leaseId: runtime.newLeaseId() });
    for (const name of loaded) {
      const { id } = await runtime.images.resolve(name);
      this.#event('load', id, name);
    }
    return loaded;
  }

  async *save(references: readonly string[]): AsyncGenerator<Buffer> {
    const { runtime } = this.#parts;
    const saved = new Map<string, { image: StoredImage; names: string[] }>();
    for (const reference of references) {
      const image = await runtime.images.resolve(reference);
      const entry = saved.get(image.id) ?? { image, names: [] };
      saved.set(image.id, entry);
      const name = tagNameOf(reference);
      if (name && (await runtime.images.get(name))) entry.names.push(name);
      this.#event('save', image.id, reference);
    }
    yield* saveArchive(runtime.content, [...saved.values()]);
  }

  async distribution(
    reference: string,
    auth?: RegistryAuth,
  ): ReturnType<ImagesApi['distribution']> {
    return this.#parts.runtime.puller.distribution(parseReference(reference), auth);
  }

  async import(
    tar: AsyncIterable<Buffer>,
    options: Parameters<ImagesApi['import']>[1],
  ): Promise<string> {
    const { clock, runtime } = this.#parts;
    const name = options.repo ? nameFor(options.repo, options.tag) : undefined;
    const image = await importRootfs({ ...parts(runtime), now: () => clock.now() }, tar, {
      leaseId: runtime.newLeaseId(),
      ...(options.message ? { message: options.message } : {}),
      ...(options.changes ? { changes: options.changes } : {}),
    });
    if (name) await runtime.images.setName(name, image.manifestDescriptor);
    this.#event('import', image.id);
    return image.id;
  }

  async list(): Promise<readonly ImageSummary[]> {
    const images = await this.#parts.runtime.images.list();
    return Promise.all(images.map(async (image) => imageSummary(image, await this.#size(image))));
  }

  async inspect(reference: string): Promise<ImageDetail> {
    const image = await this.#named(await this.#parts.runtime.images.resolve(reference));
    return imageDetail(image, await this.#size(image));
  }

  async tag(reference: string, repo: string, tag: string): Promise<void> {
    const { images } = this.#parts.runtime;
    const name = nameFor(repo, tag);
    const image = await images.resolve(reference);
    await images.setName(name, image.manifestDescriptor);
    this.#event('tag', image.id, familiarReference(parseReference(name)));
  }

  async remove(
    reference: string,
    options: { force: boolean; noprune: boolean },
  ): Promise<Removed[]> {
    const { images } = this.#parts.runtime;
    const image = await this.#named(await images.resolve(reference));
    const byId = !image.names.some(({ name }) => isNameOf(reference, name));
    if (byId) return this.#removeWhole(image, reference, options);
    const names = image.names.filter(({ name }) => isNameOf(reference, name));
    const last = names.length === image.names.length;
    if (last && !options.force) this.#checkUnused(image, reference, 'untag');
    const removed = await this.#untag(image, names);
    // With force the tag goes, and the image stays for the containers that have it.
    if (!last || this.#users(image).length > 0) return removed;
    return [...removed, await this.#delete(image)];
  }

  async prune(dangling: boolean): Promise<{ deleted: Removed[]; reclaimed: number }> {
    const deleted: Removed[] = [];
    let reclaimed = 0;
    for (const image of await this.#parts.runtime.images.list()) {
      if (dangling && image.names.length > 0) continue;
      if (this.#users(image).length > 0) continue;
      reclaimed += await this.#size(image);
      deleted.push(...(await this.#untag(image, image.names)), await this.#delete(image));
    }
    return { deleted, reclaimed };
  }

  async #removeWhole(
    image: NamedImage,
    reference: string,
    options: { force: boolean },
  ): Promise<Removed[]> {
    const repositories = new Set(image.names.map(({ name }) => name.replace(/[:@][^/]*$/, '')));
    if (repositories.size > 1 && !options.force) {
      throw new SwarmError(
        'SWM_CONFLICT',
        `conflict: unable to delete ${short(image.id)} (must be forced) - image is referenced in multiple repositories`,
      );
    }
    if (!options.force) this.#checkUnused(image, reference, 'delete');
    const running = this.#users(image).find(({ state }) => state.status === 'running');
    if (running) {
      throw new SwarmError(
        'SWM_CONFLICT',
        `conflict: unable to delete ${short(image.id)} (cannot be forced) - image is being used by running container ${running.id.slice(0, 12)}`,
      );
    }
    return [...(await this.#untag(image, image.names)), await this.#delete(image)];
  }

  async #untag(image: NamedImage, names: readonly ImageName[]): Promise<Removed[]> {
    const removed: Removed[] = [];
    for (const { name } of names) {
      await this.#parts.runtime.images.removeName(name, { collect: false });
      const familiar = familiarReference(parseReference(name));
      removed.push({ Untagged: familiar });
      this.#event('untag', image.id, familiar);
    }
    return removed;
  }

  async #delete(image: StoredImage): Promise<Removed> {
    await this.#parts.runtime.images.removeName(image.id, { collect: true });
    this.#event('delete', image.id);
    return { Deleted: image.id };
  }

  #checkUnused(image: StoredImage, reference: string, verb: 'untag' | 'delete'): void {
    const [user] = this.#users(image);
    if (!user) return;
    const running = user.state.status === 'running';
    const id = user.id.slice(0, 12);
    const message =
      verb === 'untag'
        ? `conflict: unable to remove repository reference "${reference}" (must force) - container ${id} is using its referenced image ${short(image.id)}`
        : `conflict: unable to delete ${short(image.id)} (${running ? 'cannot be forced' : 'must be forced'}) - image is being used by ${running ? 'running' : 'stopped'} container ${id}`;
    throw new SwarmError('SWM_CONFLICT', message);
  }

  #users(image: StoredImage): ContainerRecord[] {
    return this.#parts.containers().filter(({ imageId }) => imageId === image.id);
  }

  async #named(image: StoredImage): Promise<NamedImage> {
    const all = await this.#parts.runtime.images.list();
    return all.find(({ id }) => id === image.id) ?? { ...image, names: [] };
  }

  async #size(image: StoredImage): Promise<number> {
    const sizes = await Promise.all(
      chainIds(image.config.rootfs.diff_ids).map(async (chainId) => {
        const known = this.#sizes.get(chainId);
        if (known !== undefined) return known;
        const size = await this.#parts.runtime.snapshots.usage(chainId);
        this.#sizes.set(chainId, size);
        return size;
      }),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  #event(action: string, id: string, name = id): void {
    this.#parts.events.emit('image', action, id, { name });
  }
}

function parts(runtime: Runtime) {
  const { assembler, client, content, images, platform } = runtime;
  return { assembler, client, content, images, platform };
}

/** Undefined for ids and digests. */
function tagNameOf(reference: string): string | undefined {
  try {
    const parsed = parseReference(reference);
    return parsed.digest ? undefined : canonicalName(parsed);
  } catch {
    return undefined;
  }
}

function nameFor(repo: string, tag: string | undefined): string {
  const reference = parseReference(tag ? `${repo}:${tag}` : repo);
  if (!reference.digest) return canonicalName(reference);
  throw new SwarmError('SWM_INVALID_ARGUMENT', 'refusing to create a tag with a digest reference');
}

function isNameOf(reference: string, name: string): boolean {
  if (isDigest(reference)) return false;
  try {
    return canonicalName(parseReference(reference)) === name;
  } catch {
    return false;
  }
}

const short = (id: string): string => id.replace('sha256:', '').slice(0, 12);
