import { type Pacing, Slices } from '../../common/slices.ts';

const HEADER_SIZE = 4;

export interface FrameOptions extends Pacing {
  readonly chunkBytes: number;
}

/**
 * Packs pieces of any size, each behind its length, into chunks of `chunkBytes`; only the last one is
 * smaller. Gives the event loop a turn every few milliseconds, whatever the source does.
 */
export async function* frame(
  pieces: AsyncIterable<Uint8Array>,
  options: FrameOptions,
): AsyncGenerator<Buffer> {
  let chunk = Buffer.allocUnsafe(options.chunkBytes);
  let used = 0;
  const slices = new Slices(options, 'consensus: pack a snapshot');
  for await (const piece of pieces) {
    const header = Buffer.allocUnsafe(HEADER_SIZE);
    header.writeUInt32BE(piece.length);
    for (const part of [header, piece]) {
      for (let at = 0; at < part.length; ) {
        const size = Math.min(part.length - at, chunk.length - used);
        chunk.set(part.subarray(at, at + size), used);
        at += size;
        used += size;
        if (used < chunk.length) continue;
        yield chunk;
        chunk = Buffer.allocUnsafe(options.chunkBytes);
        used = 0;
      }
    }
    if (slices.isUsedUp) await slices.next();
  }
  if (used > 0) yield chunk.subarray(0, used);
}

/** The pieces that `frame` packed. Throws a RangeError when the last one is cut short. */
export async function* unframe(chunks: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  let rest: Buffer[] = [];
  let size = 0;
  let wanted = HEADER_SIZE;
  let inHeader = true;
  for await (const chunk of chunks) {
    rest.push(chunk);
    size += chunk.length;
    if (size < wanted) continue;
    const bytes = rest.length === 1 ? chunk : Buffer.concat(rest);
    let at = 0;
    while (bytes.length - at >= wanted) {
      const part = bytes.subarray(at, at + wanted);
      at += wanted;
      if (inHeader) wanted = part.readUInt32BE(0);
      else {
        yield part;
        wanted = HEADER_SIZE;
      }
      inHeader = !inHeader;
    }
    rest = at < bytes.length ? [bytes.subarray(at)] : [];
    size = bytes.length - at;
  }
  if (size > 0 || !inHeader) throw new RangeError('The last piece of the snapshot is cut short.');
}
