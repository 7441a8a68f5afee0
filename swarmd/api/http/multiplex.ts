import { httpErrorOf } from './errors.ts';

const HEADER_BYTES = 8;

/** The stream on which a client expects what went wrong after its answer had begun. */
const SYSTEM_ERROR = 3;

/** A piece of a multiplexed stream: the stream's number, three zeros, the length, the bytes. */
export function frame(stream: number, data: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}

/** The frames of `source`; if it fails, the reason is the last one, and no failure any more. */
export async function* endingInError(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  try {
    yield* source;
  } catch (error) {
    yield frame(SYSTEM_ERROR, Buffer.from(httpErrorOf(error).message));
  }
}
