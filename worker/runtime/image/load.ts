import { SwarmError } from '../../../common/errors.ts';
import type { ContainerdClient } from '../containerd/client.ts';
import { withLease } from '../containerd/lease.ts';
import { type ArchiveContent, readArchive } from './archive-reader.ts';
import type { Assembler } from './assemble.ts';
import type { ContentStore } from './content.ts';
import { selectManifest } from './platform.ts';
import { canonicalName, familiarReference, parseReference } from './reference.ts';
import type { ImageStore, StoredImage } from './store.ts';
import {
  type Descriptor,
  type Index,
  isIndexType,
  isManifestType,
  type Manifest,
  type Platform,
} from './types.ts';

const NAME_ANNOTATIONS = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

export interface LoadComponents {
  readonly client: ContainerdClient;
  readonly content: ContentStore;
  readonly images: ImageStore;
  readonly assembler: Assembler;
  readonly platform: Platform;
  readonly now: () => number;
}

/** An entry of docker save's manifest.json. */
interface DockerImage {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

/** Resolves with the names that were loaded, or ids for images without one. */
export async function loadArchive(
  components: LoadComponents,
  tar: AsyncIterable<Buffer>,
  init: { leaseId: string },
): Promise<string[]> {
  const { client, content, now } = components;
  return withLease(client, init.leaseId, now(), async (lease) => {
    const archive = await readArchive(content, tar, lease);
    const docker = documentOf<DockerImage[]>(archive, 'manifest.json') ?? [];
    const index = documentOf<Index>(archive, 'index.json');
    const loader = new Loader(components, archive, lease);
    const loaded = index
      ? await loader.fromIndex(index, docker)
      : await loader.fromDockerManifest(docker);
    if (loaded.length > 0) return loaded;
    const message = 'the archive has neither manifest.json nor index.json: it holds no image';
    throw new SwarmError('SWM_INVALID_ARGUMENT', message, {
      hint: 'Make it with docker save; the tar of a root file system is for import.',
    });
  });
}

class Loader {
  readonly #parts: LoadComponents;
  readonly #archive: ArchiveContent;
  readonly #lease: string;

  constructor(components: LoadComponents, archive: ArchiveContent, lease: string) {
    this.#parts = components;
    this.#archive = archive;
    this.#lease = lease;
  }

  /** An OCI layout; names may stand in Docker's file beside it. */
  async fromIndex(index: Index, docker: readonly DockerImage[]): Promise<string[]> {
    const loaded: string[] = [];
    for (const descriptor of index.manifests) {
      const target = await this.#manifestOf(descriptor);
      if (!target) continue;
      const image = await this.#parts.assembler.finish(target, this.#lease);
      const own = NAME_ANNOTATIONS.map((key) => descriptor.annotations?.[key]).find(isReference);
      const same = docker.find(({ Config }) => this.#digestOf(Config) === image.id);
      loaded.push(...(await this.#name(image, same?.RepoTags ?? (own ? [own] : []))));
    }
    return [...new Set(loaded)];
  }

  async fromDockerManifest(docker: readonly DockerImage[]): Promise<string[]> {
    const loaded: string[] = [];
    for (const { Config, RepoTags, Layers } of docker) {
      const config = await this.#document(Config);
      const layers = Layers.map((path) => this.#layer(path));
      const image = await this.#parts.assembler.build(config, layers, this.#lease);
      loaded.push(...(await this.#name(image, RepoTags ?? [])));
    }
    return loaded;
  }

  /** The manifest for this machine; undefined for what is no image, as attestations. */
  async #manifestOf(descriptor: Descriptor): Promise<Descriptor | undefined> {
    const { content, platform } = this.#parts;
    const { digest, mediaType, size } = descriptor;
    if (!(await content.has(digest))) return undefined;
    if (isIndexType(mediaType)) {
      const index = await content.readJson<Index>(digest);
      const chosen = selectManifest(index.manifests, platform) ?? index.manifests[0];
      return chosen && this.#manifestOf(chosen);
    }
    if (!isManifestType(mediaType)) return undefined;
    const manifest = await content.readJson<Manifest>(digest);
    const isImage = /image\.config|container\.image/.test(manifest.config.mediaType);
    return isImage ? { digest, mediaType, size } : undefined;
  }

  async #name(image: StoredImage, tags: readonly string[]): Promise<string[]> {
    const names: string[] = [];
    for (const tag of tags) {
      const reference = parseReference(tag);
      await this.#parts.images.setName(canonicalName(reference), image.manifestDescriptor);
      names.push(familiarReference(reference));
    }
    return names.length > 0 ? names : [image.id];
  }

  async #document(path: string): Promise<Buffer> {
    const resolved = this.#archive.resolve(path);
    const document = this.#archive.documents.get(resolved);
    if (document) return document;
    const blob = this.#archive.blobs.get(resolved);
    if (blob) return this.#parts.content.read(blob.digest);
    throw missing(path);
  }

  #layer(path: string): Descriptor {
    const blob = this.#archive.blobs.get(this.#archive.resolve(path));
    if (blob) return blob;
    throw missing(path);
  }

  #digestOf(path: string): string | undefined {
    return this.#archive.blobs.get(this.#archive.resolve(path))?.digest;
  }
}

function documentOf<T>(archive: ArchiveContent, path: string): T | undefined {
  const document = archive.documents.get(path);
  if (!document) return undefined;
  try {
    return JSON.parse(document.toString('utf8')) as T;
  } catch {
    throw new SwarmError('SWM_INVALID_ARGUMENT', `${path} in the archive is not valid JSON`);
  }
}

/** OCI layouts may carry a bare tag there, which names nothing by itself. */
function isReference(text: string | undefined): text is string {
  return text !== undefined && /[/:]/.test(text);
}

function missing(path: string): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', `the archive lacks ${path}, which it refers to`);
}
