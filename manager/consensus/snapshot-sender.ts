import { crc32 } from 'node:zlib';
import { type ClientWritableStream, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Message } from 'raft-ts';
import type { Clock } from '../../common/clock.ts';
import { fromServiceError } from '../../common/grpc-errors.ts';
import type { RaftSnapshotChunk } from '../../proto/gen/swarm/raft.ts';
import { type Dialer, type Place, raftClient } from './dial.ts';
import { FROM_KEY, SENDER_ADDR_KEY, TO_KEY } from './raft-metadata.ts';
import { toWire } from './wire.ts';

export interface SnapshotTransfer {
  readonly place: Place;
  readonly fromAddr: string;
  /** The MsgSnap that the data belong to. */
  readonly message: Message;
  readonly chunks: AsyncIterable<Buffer>;
}

/**
 * A transfer may take as long as it needs, as long as it moves: no chunk, and not the confirmation at
 * the end, may take longer than this.
 */
const CHUNK_TIMEOUT_MS = 10_000;

/**
 * Sends a snapshot on a connection of its own, so that heartbeats do not wait behind it. Resolves once
 * the receiver has all of it on disk and its core has seen the message.
 */
export async function sendSnapshot(
  components: Dialer & { readonly clock: Clock },
  transfer: SnapshotTransfer,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = components;
  const client = raftClient(components, transfer.place);
  const metadata = new Metadata();
  metadata.set(FROM_KEY, String(transfer.message.from));
  metadata.set(TO_KEY, String(transfer.message.to));
  metadata.set(SENDER_ADDR_KEY, transfer.fromAddr);
  let call: ClientWritableStream<RaftSnapshotChunk> | undefined;
  let watchdog = clock.setTimer(CHUNK_TIMEOUT_MS, () => call?.cancel());
  const touch = () => {
    watchdog.cancel();
    watchdog = clock.setTimer(CHUNK_TIMEOUT_MS, () => call?.cancel());
  };
  const cancel = () => call?.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    signal.throwIfAborted();
    let ended = false;
    const answer = new Promise<void>((resolve, reject) => {
      call = client.streamSnapshot(metadata, (error: ServiceError | null) => {
        ended = true;
        if (error) reject(fromServiceError(error));
        else resolve();
      });
    });
    answer.catch(() => undefined);
    let first = true;
    for await (const chunk of withLast(transfer.chunks)) {
      if (ended) break;
      await write(call!, {
        message: first ? toWire(transfer.message) : undefined,
        crc32: crc32(chunk.data),
        ...chunk,
      });
      first = false;
      touch();
    }
    call!.end();
    await answer;
  } finally {
    signal.removeEventListener('abort', cancel);
    watchdog.cancel();
    call?.cancel();
    client.close();
  }
}

/** Marks the last chunk. A snapshot without data is one empty chunk. */
async function* withLast(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<{ data: Buffer; last: boolean }> {
  let held: Buffer | undefined;
  for await (const chunk of chunks) {
    if (held) yield { data: held, last: false };
    held = chunk;
  }
  yield { data: held ?? Buffer.alloc(0), last: true };
}

/** Resolves when the stream took the chunk, or is over: then the answer says why. */
function write(
  call: ClientWritableStream<RaftSnapshotChunk>,
  chunk: RaftSnapshotChunk,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      call.off('error', done);
      call.off('status', done);
      resolve();
    };
    if (call.write(chunk)) return resolve();
    call.on('drain', done);
    call.on('error', done);
    call.on('status', done);
  });
}
