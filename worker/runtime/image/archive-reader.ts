import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { SwarmError } from '../../../common/errors.ts';
import { decompressed, formatOf, layerMediaType, peek } from './compression.ts';
import type { ContentStore } from './content.ts';
import type { Descriptor } from './types.ts';

const DOCUMENT_BYTES_MAX = 8 * 1024 * 1024;
const BLOB = /^blobs\/sha256\/([0-9a-f]{64})$/;
const LINKS_MAX = 16;

/** What an archive of images held: documents in memory, layers in the content store. */
export interface ArchiveContent {
  readonly documents: ReadonlyMap<string, Buffer>;
  readonly blobs: ReadonlyMap<string, Descriptor>;
  /** Follows links between entries. */
  resolve(path: string): string;
}

/**
 * Reads an archive once, front to back: large entries and those that are named by their digest go
 * to the content store, the rest is kept.
 */
export async function readArchive(
  content: ContentStore,
  tar: AsyncIterable<Buffer>,
  lease: string,
): Promise<ArchiveContent> {
  const documents = new Map<string, Buffer>();
  const blobs = new Map<string, Descriptor>();
  const links = new Map<string, string>();
  const source = Readable.from(await decompressed(tar), { objectMode: false });
  const entries = extract();
  source.once('error', (error) => entries.destroy(error));
  source.pipe(entries);
  for await (const entry of entries) {
    const { name, size = 0, type, linkname } = entry.header;
    const path = posix.normalize(name).replace(/^\.?\//, '');
    if (type === 'symlink' && linkname) {
      links.set(path, posix.join(posix.dirname(path), linkname));
    } else if (type === 'link' && linkname) {
      links.set(path, posix.normalize(linkname));
    }
    if (type !== 'file') {
      entry.resume();
      continue;
    }
    const hex = BLOB.exec(path)?.[1];
    const isLayer = hex !== undefined || size > DOCUMENT_BYTES_MAX || path.endsWith('.tar');
    const bytes = entry as unknown as AsyncIterable<Buffer>;
    if (isLayer) {
      blobs.set(path, await storeBlob(content, { entry: bytes, path, size, hex, lease }));
    } else documents.set(path, await collect(bytes));
  }
  if (documents.size + blobs.size === 0) {
    throw new SwarmError('SWM_INVALID_ARGUMENT', 'the archive is empty or is no tar archive');
  }
  return { documents, blobs, resolve: (path) => follow(links, path) };
}

async function storeBlob(
  content: ContentStore,
  blob: {
    entry: AsyncIterable<Buffer>;
    path: string;
    size: number;
    hex: string | undefined;
    lease: string;
  },
): Promise<Descriptor> {
  const { head, whole } = await peek(blob.entry);
  const { hex, lease, path, size } = blob;
  const options = hex
    ? { ref: `load-${hex}`, lease, expected: { digest: `sha256:${hex}`, size } }
    : { ref: `load-${lease}-${path}`, lease };
  const stored = await content.write(whole, options);
  // The archive goes on after an entry that was not read because its blob exists.
  for await (const _ of whole);
  return { mediaType: layerMediaType(formatOf(head)), ...stored };
}

async function collect(entry: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of entry) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function follow(links: ReadonlyMap<string, string>, path: string): string {
  let current = posix.normalize(path);
  for (let count = 0; count < LINKS_MAX; count++) {
    const next = links.get(current);
    if (next === undefined) return current;
    current = next;
  }
  return current;
}
