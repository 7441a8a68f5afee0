import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { SwarmError } from '../../../common/errors.ts';
import { MediaType } from './types.ts';

type Format = 'tar' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

const MAGIC: readonly (readonly [Format, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
];

/** Tells a stream's compression by its first bytes; everything without a known mark is a tar. */
export function formatOf(head: Uint8Array): Format {
  for (const [format, magic] of MAGIC) {
    if (magic.every((byte, index) => head[index] === byte)) return format;
  }
  return 'tar';
}

/** The media type under which containerd's diff service takes a layer of this compression. */
export function layerMediaType(format: Format): string {
  if (format === 'tar') return MediaType.ociLayer;
  if (format === 'gzip') return MediaType.ociLayerGzip;
  if (format === 'zstd') return MediaType.ociLayerZstd;
  throw unsupported(format);
}

/** The plain tar behind a stream that may be compressed with gzip. Throws SWM_INVALID_ARGUMENT. */
export async function decompressed(
  source: AsyncIterable<Uint8Array>,
): Promise<AsyncIterable<Uint8Array>> {
  const { head, whole } = await peek(source);
  const format = formatOf(head);
  if (format === 'tar') return whole;
  if (format !== 'gzip') throw unsupported(format);
  const input = Readable.from(whole, { objectMode: false });
  const gunzip = createGunzip();
  input.once('error', (error) => gunzip.destroy(error));
  return input.pipe(gunzip);
}

/** The first bytes (8 or fewer), and the stream with them still at its start. */
export async function peek(
  source: AsyncIterable<Uint8Array>,
): Promise<{ head: Uint8Array; whole: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let size = 0;
  while (size < 8) {
    const next = await iterator.next();
    if (next.done) break;
    first.push(next.value);
    size += next.value.length;
  }
  async function* whole() {
    yield* first;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return { head: Buffer.concat(first), whole: whole() };
}

function unsupported(format: Format): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', `archives compressed with ${format} are not read`, {
    hint: 'Decompress it, or compress it with gzip.',
  });
}
