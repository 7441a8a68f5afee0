import { SwarmError } from '../../../common/errors.ts';
import type {
  ImageDetail,
  ImagesApi,
  Progress,
  RegistryAuth,
  VolumeInfo,
  VolumesApi,
} from '../../../worker/index.ts';

const DIGEST = `sha256:${'3'.repeat(64)}`;

/** A registry that has every image but those whose name contains `missing`. */
export class FakeImages implements ImagesApi {
  readonly #images: ImageDetail[] = [image('alpine:latest')];
  readonly calls: string[] = [];
  /** The credentials of the last pull. */
  auth: RegistryAuth | undefined;

  async pull(
    reference: string,
    options: { auth?: RegistryAuth; progress?: Progress; signal?: AbortSignal },
  ): Promise<ImageDetail> {
    this.auth = options.auth;
    this.calls.push(`pull ${reference}`);
    if (reference.includes('denied')) throw new SwarmError('SWM_NOT_FOUND', 'pull access denied');
    const short = reference.replace('docker.io/library/', '');
    const tag = short.split(':')[1] ?? 'latest';
    options.progress?.({ status: 'Pulling from library/x', id: tag });
    if (reference.includes('broken')) throw new SwarmError('SWM_UNAVAILABLE', 'connection reset');
    options.progress?.({ status: `Digest: ${DIGEST}` });
    const pulled = image(short);
    this.#images.push(pulled);
    return pulled;
  }

  async load(tar: AsyncIterable<Buffer>): Promise<string[]> {
    let size = 0;
    for await (const chunk of tar) size += chunk.length;
    return [`loaded:${size}`];
  }

  async import(tar: AsyncIterable<Buffer>, options: object): Promise<string> {
    this.calls.push(`import ${JSON.stringify(options)} ${(await this.load(tar)).join()}`);
    return DIGEST;
  }

  async *save(references: readonly string[]): AsyncIterable<Buffer> {
    for (const reference of references) yield Buffer.from(`${reference};`);
  }

  async list() {
    return this.#images;
  }

  async inspect(reference: string): Promise<ImageDetail> {
    const tagged = reference.includes(':') ? reference : `${reference}:latest`;
    const found = this.#images.find(({ repoTags }) => repoTags.includes(tagged));
    if (!found) throw new SwarmError('SWM_NOT_FOUND', `No such image: ${tagged}`);
    return found;
  }

  async tag(reference: string, repo: string, tag: string): Promise<void> {
    this.calls.push(`tag ${reference} ${repo} ${tag}`);
  }

  async remove(reference: string) {
    await this.inspect(reference);
    return [{ Untagged: reference }];
  }

  async prune() {
    return { deleted: [], reclaimed: 5 };
  }

  async distribution(reference: string) {
    if (reference.includes('missing')) {
      throw new SwarmError('SWM_NOT_FOUND', `manifest of ${reference} not found`);
    }
    return {
      mediaType: 'application/vnd.oci.image.index.v1+json',
      digest: DIGEST,
      size: 1_234,
      platforms: [{ architecture: 'amd64', os: 'linux' }],
    };
  }
}

function image(tag: string): ImageDetail {
  return {
    id: `sha256:${'1'.repeat(64)}`,
    repoTags: [tag],
    repoDigests: [],
    createdAt: Date.UTC(2026, 0, 1),
    size: 8_000_000,
    labels: { of: 'test' },
    architecture: 'amd64',
    os: 'linux',
    config: { Cmd: ['sh'] },
    layers: [DIGEST],
    history: [{ created: 0, createdBy: 'ADD /', comment: 'first', emptyLayer: false }],
  };
}

export class FakeVolumes implements VolumesApi {
  readonly #volumes = new Map<string, VolumeInfo>();

  async create(spec: {
    name?: string;
    driver?: string;
    labels?: Record<string, string>;
    options?: Record<string, string>;
  }): Promise<VolumeInfo> {
    const name = spec.name ?? 'generated';
    const volume: VolumeInfo = {
      name,
      driver: spec.driver ?? 'local',
      mountpoint: `/volumes/${name}`,
      createdAt: 0,
      labels: spec.labels ?? {},
      options: spec.options ?? {},
    };
    this.#volumes.set(name, volume);
    return volume;
  }

  list(): readonly VolumeInfo[] {
    return [...this.#volumes.values()];
  }

  inspect(name: string): VolumeInfo {
    const volume = this.#volumes.get(name);
    if (!volume) throw new SwarmError('SWM_NOT_FOUND', `get ${name}: no such volume`);
    return volume;
  }

  async remove(name: string): Promise<void> {
    this.inspect(name);
    this.#volumes.delete(name);
  }

  async prune() {
    return { deleted: ['old'], reclaimed: 9 };
  }
}
