import type { Clock } from '../../../common/clock.ts';
import { within } from '../../../common/deadline.ts';
import { SwarmError } from '../../../common/errors.ts';
import type { Logger } from '../../../common/logger.ts';
import type { Progress, ProgressMessage, RegistryAuth } from '../../engine/types.ts';
import type { ContainerdClient } from '../containerd/client.ts';
import { withLease } from '../containerd/lease.ts';
import { Limit } from '../limit.ts';
import type { Assembler } from './assemble.ts';
import { BlobFetcher } from './blob-fetcher.ts';
import { type ContentStore, sha256 } from './content.ts';
import { platformText, selectManifest } from './platform.ts';
import { LayerProgress } from './pull-progress.ts';
import { canonicalName, familiarReference, type Reference } from './reference.ts';
import { type FetchedManifest, Repository } from './registry.ts';
import type { RegistryHostInit } from './registry-host.ts';
import { SharedWork } from './shared-work.ts';
import type { ImageStore, StoredImage } from './store.ts';
import {
  type Descriptor,
  type ImageConfig,
  type Index,
  isIndexType,
  type Manifest,
  type Platform,
} from './types.ts';
import { chainIds, type Unpacker } from './unpack.ts';

const PARALLEL_DOWNLOADS = 4;
/** The CLI waits for this before it makes a service. */
const DISTRIBUTION_TIMEOUT_MS = 15_000;

export interface PullerComponents {
  readonly client: ContainerdClient;
  readonly content: ContentStore;
  readonly images: ImageStore;
  readonly unpacker: Unpacker;
  readonly assembler: Assembler;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newLeaseId: () => string;
}

export interface Distribution {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platforms: Platform[];
}

export interface PullOptions {
  readonly platform: Platform;
  readonly auth?: RegistryAuth | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Brings images from registries. Pulls of the same image at the same time are one. */
export class Puller {
  readonly #parts: PullerComponents;
  readonly #hosts: RegistryHostInit;
  readonly #fetcher: BlobFetcher;
  readonly #shared = new SharedWork<ProgressMessage, StoredImage>({
    replayed: ({ progress }) => progress === undefined,
  });

  constructor(components: PullerComponents, init: RegistryHostInit) {
    this.#parts = components;
    this.#hosts = init;
    this.#fetcher = new BlobFetcher(components);
  }

  pull(reference: Reference, options: PullOptions): Promise<StoredImage> {
    const { auth, platform, progress, signal } = options;
    // Credentials are part of the key: nobody gets an image through somebody else's.
    const identity = auth ? sha256(Buffer.from(JSON.stringify(auth))) : '';
    const key = [canonicalName(reference), platformText(platform), identity].join(' ');
    return this.#shared.join(
      key,
      (tell, shared) => this.#pull(reference, { auth, platform, progress: tell, signal: shared }),
      { ...(progress ? { listener: progress } : {}), ...(signal ? { signal } : {}) },
    );
  }

  /** What a registry has under a name, without pulling it. Throws SWM_TIMEOUT after 15 s. */
  distribution(reference: Reference, auth?: RegistryAuth): Promise<Distribution> {
    const ms = DISTRIBUTION_TIMEOUT_MS;
    const text = `${reference.domain} did not describe ${familiarReference(reference)} within ${ms / 1000} s`;
    const late = () => new SwarmError('SWM_TIMEOUT', text);
    return within(this.#parts.clock, { ms, late }, (signal) =>
      this.#look(reference, new Repository(reference, { ...this.#hosts, auth, signal })),
    );
  }

  async #look(reference: Reference, repository: Repository): Promise<Distribution> {
    const { content } = this.#parts;
    const top = await repository.manifest(reference.digest ?? reference.tag ?? 'latest');
    const { mediaType, digest, size } = top.descriptor;
    const document = JSON.parse(top.data.toString('utf8')) as Index & Manifest;
    if (isIndexType(mediaType)) {
      const platforms = document.manifests.flatMap(({ platform }) => (platform ? [platform] : []));
      return { mediaType, digest, size, platforms };
    }
    const known = await content.has(document.config.digest);
    const { architecture, os, variant } = known
      ? await content.readJson<ImageConfig>(document.config.digest)
      : await repository.json<ImageConfig>(document.config.digest);
    const platforms = [{ architecture, os, ...(variant ? { variant } : {}) }];
    return { mediaType, digest, size, platforms };
  }

  async #pull(
    reference: Reference,
    options: PullOptions & { progress: Progress; signal: AbortSignal },
  ): Promise<StoredImage> {
    const { clock, client, images, newLeaseId } = this.#parts;
    const { auth, platform, progress, signal } = options;
    const repository = new Repository(reference, { ...this.#hosts, auth, signal });
    const wanted = reference.digest ?? reference.tag ?? 'latest';
    progress({ status: `Pulling from ${reference.path}`, id: wanted });
    const name = canonicalName(reference);
    const before = await images.get(name);
    const top = await repository.manifest(wanted);
    const image = await withLease(client, newLeaseId(), clock.now(), async (lease) => {
      const manifest = await this.#selectManifest(repository, top, platform);
      const context = { repository, lease, progress, signal };
      const stored = await this.#fetchImage(manifest, context);
      await images.setName(name, stored.manifestDescriptor, top.descriptor.digest);
      return stored;
    });
    const same = before?.target.digest === image.manifestDescriptor.digest;
    const familiar = familiarReference(reference);
    progress({ status: `Digest: ${top.descriptor.digest}` });
    progress({
      status: same
        ? `Status: Image is up to date for ${familiar}`
        : `Status: Downloaded newer image for ${familiar}`,
    });
    return image;
  }

  async #selectManifest(
    repository: Repository,
    top: FetchedManifest,
    platform: Platform,
  ): Promise<FetchedManifest> {
    if (!isIndexType(top.descriptor.mediaType)) return top;
    const index = JSON.parse(top.data.toString('utf8')) as Index;
    const chosen = selectManifest(index.manifests, platform);
    if (chosen) return repository.manifest(chosen.digest);
    throw new SwarmError(
      'SWM_NOT_FOUND',
      `no matching manifest for ${platformText(platform)} in the manifest list entries`,
      { hint: `The image offers ${index.manifests.flatMap(platformOf).join(', ') || 'none'}.` },
    );
  }

  async #fetchImage(fetched: FetchedManifest, context: FetchContext): Promise<StoredImage> {
    const { assembler, clock, content, unpacker } = this.#parts;
    const { lease, progress, signal } = context;
    const manifest = JSON.parse(fetched.data.toString('utf8')) as Manifest;
    const lines = manifest.layers.map(
      ({ digest, size }) =>
        new LayerProgress({ progress, now: () => clock.monotonic() }, { digest, total: size }),
    );
    for (const line of lines) line.status('Pulling fs layer');
    await this.#fetcher.fetch(manifest.config, context);
    await content.writeBuffer(fetched.data, fetched.descriptor.mediaType, { lease });
    const image = await this.#parts.images.load(fetched.descriptor);
    const chain = chainIds(image.config.rootfs.diff_ids);
    const limit = new Limit(PARALLEL_DOWNLOADS);
    const downloads = manifest.layers.map((layer, index) =>
      limit.run(async () => {
        const line = lines[index] as LayerProgress;
        signal.throwIfAborted();
        const known = await unpacker.has(chain[index] as string);
        const before = known && (await content.has(layer.digest));
        await this.#fetcher.fetch(layer, { ...context, line });
        line.status(before ? 'Already exists' : 'Download complete');
        return before;
      }),
    );
    // The first failure is what the caller gets; the others must not go unheard of.
    for (const download of downloads) download.catch(() => {});
    return assembler.finish(fetched.descriptor, lease, {
      before: async (_layer, index) => {
        if (!(await downloads[index])) lines[index]?.status('Extracting');
      },
      after: async (_layer, index) => {
        if (!(await downloads[index])) lines[index]?.status('Pull complete');
      },
    });
  }
}

interface FetchContext {
  readonly repository: Repository;
  readonly lease: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

function platformOf({ platform }: Descriptor): string[] {
  return platform && platform.os !== 'unknown' ? [platformText(platform)] : [];
}
