import type { Writable } from 'node:stream';
import { type Pack, pack } from 'tar-stream';
import type { ContentStore } from './content.ts';
import { familiarReference, parseReference } from './reference.ts';
import type { StoredImage } from './store.ts';
import { type Descriptor, MediaType } from './types.ts';

/** An image to save, with the names (canonical) to save it under. */
export interface SavedImage {
  readonly image: StoredImage;
  readonly names: readonly string[];
}

/** An archive that is both an OCI layout and what `docker load` reads; shared blobs are in once. */
export async function* saveArchive(
  content: ContentStore,
  images: readonly SavedImage[],
): AsyncGenerator<Buffer> {
  const tar = pack();
  const writing = writeAll(content, images, tar).catch((error: Error) => {
    tar.destroy(error);
  });
  yield* tar as AsyncIterable<Buffer>;
  await writing;
}

async function writeAll(
  content: ContentStore,
  images: readonly SavedImage[],
  tar: Pack,
): Promise<void> {
  const written = new Set<string>();
  for (const { image } of images) {
    const { manifest, manifestDescriptor } = image;
    for (const blob of [...manifest.layers, manifest.config, manifestDescriptor]) {
      if (written.has(blob.digest)) continue;
      written.add(blob.digest);
      await writeBlob(content, blob, tar);
    }
  }
  document(tar, 'oci-layout', { imageLayoutVersion: '1.0.0' });
  document(tar, 'index.json', {
    schemaVersion: 2,
    mediaType: MediaType.ociIndex,
    manifests: images.flatMap(indexEntries),
  });
  document(tar, 'manifest.json', images.map(dockerEntry));
  tar.finalize();
}

async function writeBlob(content: ContentStore, blob: Descriptor, tar: Pack): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const header = { name: blobPath(blob), size: blob.size, mode: 0o644 };
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    const entry = tar.entry(header, done) as unknown as Writable;
    copy(content.stream(blob.digest), entry).catch((error: Error) => entry.destroy(error));
  });
}

async function copy(source: AsyncIterable<Buffer>, entry: Writable): Promise<void> {
  for await (const chunk of source) {
    if (!entry.write(chunk)) await new Promise((resolve) => entry.once('drain', resolve));
  }
  entry.end();
}

function document(tar: Pack, name: string, value: unknown): void {
  tar.entry({ name, mode: 0o644 }, JSON.stringify(value));
}

function indexEntries({ image, names }: SavedImage): Descriptor[] {
  if (names.length === 0) return [image.manifestDescriptor];
  return names.map((name) => ({
    ...image.manifestDescriptor,
    annotations: {
      'io.containerd.image.name': name,
      'org.opencontainers.image.ref.name': parseReference(name).tag ?? '',
    },
  }));
}

function dockerEntry({ image, names }: SavedImage): Record<string, unknown> {
  return {
    Config: blobPath(image.manifest.config),
    RepoTags: names.map((name) => familiarReference(parseReference(name))),
    Layers: image.manifest.layers.map(blobPath),
  };
}

const blobPath = ({ digest }: Descriptor): string => `blobs/${digest.replace(':', '/')}`;
