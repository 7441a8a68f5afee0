import { SwarmError } from '../../../common/errors.ts';
import {
  CreateImageRequest,
  type Image,
  UpdateImageRequest,
} from '../../../proto/gen/containerd/images.ts';
import type { ContainerdClient } from '../containerd/client.ts';
import { ignoreNotFound, isAlreadyExists, isNotFound } from '../containerd/errors.ts';
import { labelFilter } from '../containerd/filter.ts';
import type { ContentStore } from './content.ts';
import { canonicalName, isDigest, parseReference } from './reference.ts';
import type { Descriptor, ImageConfig, Manifest } from './types.ts';

/** On a name that was pulled: the digest it had at the registry, of an index often. */
const PULLED_LABEL = 'swarm/repo-digest';

/** One image: everything that follows from its config's digest. */
export interface StoredImage {
  /** `sha256:…` of the config, as Docker identifies images. */
  readonly id: string;
  readonly manifestDescriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
}

/** A name, `domain/path:tag` or `domain/path@digest`, and what it stands for. */
export interface ImageName {
  readonly name: string;
  readonly target: Descriptor;
  /** At the registry it was pulled from; '' for images that came otherwise. */
  readonly repoDigest: string;
}

export interface NamedImage extends StoredImage {
  readonly names: readonly ImageName[];
}

export interface ImageStoreComponents {
  readonly client: ContainerdClient;
  readonly content: ContentStore;
}

/**
 * Docker's view of containerd's images, which knows names only. Each image has one record named by
 * its id, which keeps it when no tag is left, and one record for each tag or digest.
 */
export class ImageStore {
  readonly #client: ContainerdClient;
  readonly #content: ContentStore;
  /** Content never changes, so what was read once by digest stays true. */
  readonly #loaded = new Map<string, Promise<StoredImage>>();

  constructor(components: ImageStoreComponents) {
    this.#client = components.client;
    this.#content = components.content;
  }

  /** Every image with its names; those whose content is incomplete are left out. */
  async list(): Promise<NamedImage[]> {
    const { images } = this.#client;
    const { images: records } = await this.#client.call(images, images.list, { filters: [] });
    const byId = new Map<string, { image: StoredImage; names: ImageName[] }>();
    await Promise.all(
      records.map(async (record) => {
        const image = await this.load(descriptorOf(record)).catch(() => undefined);
        if (!image) return;
        const entry = byId.get(image.id) ?? { image, names: [] };
        byId.set(image.id, entry);
        if (!isDigest(record.name)) entry.names.push(nameOf(record));
      }),
    );
    return [...byId.values()].map(({ image, names }) => ({
      ...image,
      names: names.sort((a, b) => (a.name < b.name ? -1 : 1)),
    }));
  }

  /** By reference, id or unique id prefix. Throws SWM_NOT_FOUND `No such image: …`. */
  async resolve(text: string): Promise<StoredImage> {
    const named = await this.#byName(text);
    if (named) return named;
    const prefix = text.startsWith('sha256:') ? text : `sha256:${text}`;
    if (/^sha256:[0-9a-f]{1,64}$/.test(prefix)) {
      const exact = isDigest(prefix) ? await this.get(prefix) : undefined;
      if (exact) return this.load(exact.target);
      const matches = (await this.list()).filter(({ id }) => id.startsWith(prefix));
      if (matches.length === 1) return matches[0] as NamedImage;
      if (matches.length > 1) {
        throw new SwarmError('SWM_INVALID_ARGUMENT', `image ID prefix ${text} is ambiguous`);
      }
    }
    throw noSuchImage(text);
  }

  async get(name: string): Promise<ImageName | undefined> {
    try {
      const { images } = this.#client;
      const { image } = await this.#client.call(images, images.get, { name });
      return image && nameOf(image);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Makes `name` stand for `target`, whatever it stood for before. */
  async setName(name: string, target: Descriptor, repoDigest = ''): Promise<void> {
    const { images } = this.#client;
    const { mediaType, digest, size } = target;
    const labels: Record<string, string> = repoDigest ? { [PULLED_LABEL]: repoDigest } : {};
    const image = { name, target: { mediaType, digest, size, annotations: {} }, labels };
    try {
      await this.#client.call(images, images.create, CreateImageRequest.fromPartial({ image }));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const updateMask = ['target', 'labels'];
      const request = UpdateImageRequest.fromPartial({ image, updateMask });
      await this.#client.call(images, images.update, request);
    }
  }

  /** Keeps an image by its id; every image that was stored has this. */
  async setId(image: StoredImage): Promise<void> {
    await this.setName(image.id, image.manifestDescriptor);
  }

  async removeName(name: string, init: { collect: boolean }): Promise<void> {
    const { images } = this.#client;
    await ignoreNotFound(this.#client.call(images, images.delete, { name, sync: init.collect }));
  }

  /** Reads what a manifest stands for. */
  load(target: Descriptor): Promise<StoredImage> {
    const known = this.#loaded.get(target.digest);
    if (known) return known;
    const loading = this.#read(target);
    this.#loaded.set(target.digest, loading);
    loading.catch(() => this.#loaded.delete(target.digest));
    return loading;
  }

  async #read(target: Descriptor): Promise<StoredImage> {
    const manifest = await this.#content.readJson<Manifest>(target.digest);
    const config = await this.#content.readJson<ImageConfig>(manifest.config.digest);
    const { mediaType, digest, size } = target;
    const manifestDescriptor = { mediaType, digest, size };
    return { id: manifest.config.digest, manifestDescriptor, manifest, config };
  }

  async #byName(text: string): Promise<StoredImage | undefined> {
    let name: string;
    try {
      name = canonicalName(parseReference(text));
    } catch (error) {
      // Ids of 64 digits are no valid names, but are tried as ids.
      if (/^(sha256:)?[0-9a-f]{64}$/.test(text)) return undefined;
      throw error;
    }
    const found = (await this.get(name)) ?? (await this.#byDigest(name));
    return found && this.load(found.target);
  }

  /** A tag that was pulled answers to its digest as well. */
  async #byDigest(name: string): Promise<ImageName | undefined> {
    const [repository, digest] = name.split('@');
    if (!digest) return undefined;
    const { images } = this.#client;
    const request = { filters: [labelFilter({ [PULLED_LABEL]: digest })] };
    const { images: records } = await this.#client.call(images, images.list, request);
    return records.map(nameOf).find((record) => record.name.startsWith(`${repository}:`));
  }
}

/** The message that makes the Docker CLI pull the image and try again. */
export function noSuchImage(text: string): SwarmError {
  const named = /[:@]/.test(text.slice(text.lastIndexOf('/') + 1)) ? text : `${text}:latest`;
  return new SwarmError('SWM_NOT_FOUND', `No such image: ${named}`);
}

function nameOf(record: Image): ImageName {
  const repoDigest = record.labels[PULLED_LABEL] ?? '';
  return { name: record.name, target: descriptorOf(record), repoDigest };
}

function descriptorOf(record: Image): Descriptor {
  const { mediaType, digest, size } = record.target ?? { mediaType: '', digest: '', size: 0 };
  return { mediaType, digest, size };
}
