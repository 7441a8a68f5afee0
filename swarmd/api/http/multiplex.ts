const HEADER_BYTES = 8;

/** A piece of a multiplexed stream: the stream's number, three zeros, the length, the bytes. */
export function frame(stream: number, data: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}
