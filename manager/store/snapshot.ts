import protobuf from 'protobufjs/minimal.js';
import { type Pacing, Slices } from '../../common/slices.ts';
import { decodeObjects, encodeObjects } from './codec.ts';
import { type AnyObject, kinds } from './kinds.ts';
import { SharedParts } from './shared-parts.ts';
import { newTables, type Tables, tableOf } from './table.ts';
import type { Kind, ObjectTypes } from './types.ts';

/** Objects in one chunk; at 2 KiB an object this is 128 KiB. */
const CHUNK_OBJECTS = 64;

/**
 * The objects of `tables` as of this call: since objects are immutable, a copy of the references
 * is a copy of the state. Each piece is one length-delimited `StoreSnapshotChunk`.
 */
export function writeSnapshot(tables: Tables, pacing: Pacing): AsyncIterable<Uint8Array> {
  const captured = kinds.map((kind) => [kind, [...tables[kind].values()]] as const);
  return encodeChunks(captured, pacing);
}

/** New tables from the bytes of a snapshot, however they are cut. */
export async function readSnapshot(
  pieces: AsyncIterable<Uint8Array>,
  pacing: Pacing,
  shared: SharedParts = new SharedParts(),
): Promise<Tables> {
  const tables = newTables();
  const slices = new Slices(pacing, 'store: decode a snapshot');
  for await (const chunk of delimited(pieces)) {
    for (const [kind, object] of decodeObjects(chunk, shared)) {
      tableOf(tables, kind).set(object as ObjectTypes[typeof kind]);
    }
    if (slices.isUsedUp) await slices.next();
  }
  return tables;
}

async function* encodeChunks(
  captured: readonly (readonly [Kind, readonly AnyObject[]])[],
  pacing: Pacing,
): AsyncGenerator<Uint8Array> {
  const slices = new Slices(pacing, 'store: encode a snapshot');
  for (const [kind, objects] of captured) {
    for (let at = 0; at < objects.length; at += CHUNK_OBJECTS) {
      const chunk = encodeObjects(kind, objects.slice(at, at + CHUNK_OBJECTS));
      yield protobuf.Writer.create().bytes(chunk).finish();
      if (slices.isUsedUp) await slices.next();
    }
  }
}

/** The length-delimited messages in a stream of bytes. */
async function* delimited(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0);
  for await (const piece of pieces) {
    rest = rest.length > 0 ? Buffer.concat([rest, piece]) : Buffer.from(piece);
    let at = 0;
    for (let next = frame(rest, at); next; next = frame(rest, at)) {
      yield rest.subarray(next.start, next.end);
      at = next.end;
    }
    rest = rest.subarray(at);
  }
  if (rest.length > 0) throw new Error(`snapshot ends inside a chunk, ${rest.length} bytes over`);
}

/** Where the message at `at` lies, or undefined while a part of it is missing. */
function frame(bytes: Buffer, at: number): { start: number; end: number } | undefined {
  let length = 0;
  for (let i = 0; at + i < bytes.length; i += 1) {
    const byte = bytes[at + i] as number;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      const start = at + i + 1;
      return start + length <= bytes.length ? { start, end: start + length } : undefined;
    }
  }
  return undefined;
}
