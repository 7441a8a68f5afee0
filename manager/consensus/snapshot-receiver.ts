import { crc32 } from 'node:zlib';
import type { Message } from 'raft-ts';
import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import { RaftMembership, type RaftSnapshotChunk } from '../../proto/gen/swarm/raft.ts';
import type { SnapshotManifest } from './log-records.ts';
import type { HeldSnapshot, SnapshotStore } from './snapshot-store.ts';
import { fromWire } from './wire.ts';

export interface ReceivedSnapshot {
  readonly message: Message;
  readonly manifest: SnapshotManifest;
  /** To be released when the log has adopted the snapshot, or the core did not want it. */
  readonly held: HeldSnapshot;
}

/** Raft ids of those that the stream connects. */
export interface Between {
  readonly from: number;
  readonly to: number;
}

const CHUNK_TIMEOUT_MS = 15_000;

/** Stores the chunks of an incoming snapshot under a new id. Throws when the stream breaks off. */
export async function receiveSnapshot(
  components: { readonly clock: Clock; readonly snapshots: SnapshotStore },
  { from, to }: Between,
  stream: AsyncIterable<RaftSnapshotChunk>,
  cancel: () => void,
): Promise<ReceivedSnapshot> {
  const { clock, snapshots } = components;
  const held = snapshots.holdNew();
  let watchdog = clock.setTimer(CHUNK_TIMEOUT_MS, cancel);
  try {
    let message: Message | undefined;
    let chunks = 0;
    let bytes = 0;
    for await (const chunk of stream) {
      watchdog.cancel();
      watchdog = clock.setTimer(CHUNK_TIMEOUT_MS, cancel);
      message ??= chunk.message && fromWire(chunk.message);
      if (!message?.snapshot) throw broken('does not begin with its description');
      if (message.from !== from || message.to !== to) throw broken('is in the name of another');
      if (crc32(chunk.data) !== chunk.crc32) throw broken(`has a damaged chunk ${chunks}`);
      if (chunk.data.length > 0) await snapshots.writeChunk(held.id, chunks++, chunk.data);
      bytes += chunk.data.length;
      if (!chunk.last) continue;
      const { confState, index, term } = message.snapshot.metadata;
      const membership = RaftMembership.decode(message.snapshot.data ?? new Uint8Array());
      const manifest = { id: held.id, index, term, confState, membership, chunks, bytes };
      return { message, manifest, held };
    }
    throw broken('ended before its last chunk');
  } catch (error) {
    held.release();
    throw error;
  } finally {
    watchdog.cancel();
  }
}

function broken(what: string): SwarmError {
  return new SwarmError('SWM_UNAVAILABLE', `The snapshot that a manager sent ${what}.`);
}
