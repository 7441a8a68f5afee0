import type { ContentStore } from './content.ts';
import { labelImage } from './gc-labels.ts';
import type { ImageStore, StoredImage } from './store.ts';
import { type Descriptor, type Manifest, MediaType } from './types.ts';
import { chainIds, type Unpacker } from './unpack.ts';

export interface AssemblerComponents {
  readonly content: ContentStore;
  readonly images: ImageStore;
  readonly unpacker: Unpacker;
  readonly snapshotter: string;
}

/** Makes images out of blobs that are in the content store. */
export class Assembler {
  readonly #parts: AssemblerComponents;

  constructor(components: AssemblerComponents) {
    this.#parts = components;
  }

  /** Writes a manifest for `config` and `layers`, then `finish`es the image. */
  async build(config: Buffer, layers: readonly Descriptor[], lease: string): Promise<StoredImage> {
    const { content } = this.#parts;
    const descriptor = await content.writeBuffer(config, MediaType.ociConfig, { lease });
    const manifest: Manifest = {
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: descriptor,
      layers,
    };
    const target = await content.writeBuffer(
      Buffer.from(JSON.stringify(manifest)),
      MediaType.ociManifest,
      { lease },
    );
    return this.finish(target, lease);
  }

  /**
   * Unpacks an image whose manifest and config are stored, and records it under its id. Its layers
   * may still be on their way: each is waited for by `before`.
   */
  async finish(target: Descriptor, lease: string, hooks: LayerHooks = {}): Promise<StoredImage> {
    const { content, images, unpacker, snapshotter } = this.#parts;
    const image = await images.load(target);
    const { manifest, config } = image;
    const diffIds = config.rootfs.diff_ids;
    const chain = chainIds(diffIds);
    for (const [index, layer] of manifest.layers.entries()) {
      await hooks.before?.(layer, index);
      const chainId = chain[index] as string;
      const parent = chain[index - 1] ?? '';
      await unpacker.apply(layer, { chainId, parent, diffId: diffIds[index] as string }, lease);
      await hooks.after?.(layer, index);
    }
    await labelImage(content, target.digest, { manifest, diffIds, snapshotter });
    await images.setId(image);
    return image;
  }
}

/** Called around the unpacking of each layer, lowest first. */
export interface LayerHooks {
  before?(layer: Descriptor, index: number): Promise<void>;
  after?(layer: Descriptor, index: number): Promise<void>;
}
