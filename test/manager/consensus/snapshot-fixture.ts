import { type Message, MessageType, message } from 'raft-ts';
import { systemClock } from '../../../common/clock.ts';
import { systemRandom } from '../../../common/random.ts';
import { LogDisk } from '../../../manager/consensus/log-disk.ts';
import type { SnapshotManifest } from '../../../manager/consensus/log-records.ts';
import { LogTail } from '../../../manager/consensus/log-tail.ts';
import { SnapshotStore } from '../../../manager/consensus/snapshot-store.ts';
import { Vault } from '../../../manager/consensus/vault.ts';
import { RaftMembership } from '../../../proto/gen/swarm/raft.ts';
import { LOOPBACK } from '../../support/loopback.ts';
import { KEYS } from './harness.ts';

export const LEADER = 5;
export const MEMBER = 7;
export const MEMBERSHIP = RaftMembership.fromPartial({
  members: [
    // Nobody is there: all that comes from the leader is made up by the test.
    { raftId: LEADER, nodeId: 'leader', addr: `${LOOPBACK}:1` },
    { raftId: MEMBER, nodeId: 'member', addr: `${LOOPBACK}:2`, learner: true },
  ],
});

export async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

export async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The leader's message for a snapshot at `index`. */
export function snapMessage(index: number, to = MEMBER): Message {
  const confState = {
    voters: [LEADER],
    learners: [MEMBER],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  const data = RaftMembership.encode(MEMBERSHIP).finish();
  const snapshot = { metadata: { index, term: 3, confState }, data };
  return message({ type: MessageType.Snap, from: LEADER, to, term: 3, snapshot });
}

export interface SnapshotOnDisk {
  readonly disk: LogDisk;
  readonly store: SnapshotStore;
  readonly tail: LogTail;
  readonly manifest: SnapshotManifest;
  readonly pieces: readonly Buffer[];
}

/** A disk with one snapshot of odd pieces, as a leader has it. */
export async function snapshotOnDisk(dir: string): Promise<SnapshotOnDisk> {
  const vault = new Vault({ keys: KEYS, random: systemRandom });
  const disk = new LogDisk({ vault }, { dir });
  await disk.open();
  const store = new SnapshotStore(
    { clock: systemClock, random: systemRandom, disk },
    { chunkBytes: 10_000 },
  );
  const pieces = Array.from({ length: 40 }, (_, i) =>
    Buffer.from(systemRandom.bytes(1 + ((i * 997) % 3_000))),
  );
  const { id } = store.holdNew();
  const written = await store.write(id, each(pieces));
  const metadata = {
    index: 100,
    term: 3,
    confState: snapMessage(100).snapshot!.metadata.confState,
  };
  const manifest: SnapshotManifest = { id, ...metadata, membership: MEMBERSHIP, ...written };
  const identity = { format: 1, raftId: LEADER, nodeId: 'leader' } as const;
  const hardState = { term: 3, vote: 0, commit: 100 };
  await disk.write({ identity, hardState, snapshot: manifest, sync: true });
  const tail = new LogTail({ identity, hardState, snapshot: manifest, entries: [], prevTerm: 3 });
  return { disk, store, tail, manifest, pieces };
}
