import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';
import type { RaftMembership } from '../../proto/gen/swarm/raft.ts';
import type { OpenLogDb } from './log-db.ts';
import { LogDisk } from './log-disk.ts';
import { newRaftId } from './raft-id.ts';
import { SnapshotStore } from './snapshot-store.ts';
import { type KeyRing, Vault } from './vault.ts';

export interface RestoreLogComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: KeyRing;
  readonly openLogDb?: OpenLogDb | undefined;
}

/** What the new log is to begin with. */
export interface RestoredLog {
  /** Where the log is to be; there must be none. */
  readonly dir: string;
  readonly nodeId: string;
  /** Where this manager is reached from now on. */
  readonly addr: string;
  /** Of the state, and the members at that time. */
  readonly index: number;
  readonly term: number;
  readonly membership: RaftMembership;
  readonly pieces: AsyncIterable<Uint8Array>;
}

/**
 * Writes a log that begins with a given state and has one member: this node, under a Raft id that was
 * never used, since what the old one promised to others after the state was taken is not known here.
 * Every member of that time is removed. Resolves with the new id.
 */
export async function restoreLog(
  components: RestoreLogComponents,
  restored: RestoredLog,
): Promise<number> {
  const { random } = components;
  const { dir, nodeId, addr, index, membership: old } = restored;
  const used = new Set([...old.removed, ...old.members.map(({ raftId }) => raftId)]);
  const raftId = newRaftId(random, (id) => used.has(id));
  const membership: RaftMembership = {
    members: [{ raftId, nodeId, addr, learner: false }],
    removed: [...used].sort((a, b) => a - b),
  };
  const disk = new LogDisk({ ...components, vault: new Vault(components) }, { dir });
  try {
    if (await disk.open()) {
      throw new SwarmError('SWM_CONFLICT', `There is a Raft log in ${dir} already.`);
    }
    const snapshots = new SnapshotStore({ ...components, disk });
    const held = snapshots.holdNew();
    const size = await snapshots.write(held.id, restored.pieces);
    const confState = {
      voters: [raftId],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    const snapshot = { id: held.id, index, term: restored.term, confState, membership, ...size };
    await disk.write({
      identity: { format: 1, raftId, nodeId },
      hardState: { term: restored.term + 1, vote: 0, commit: index },
      snapshot,
      sync: true,
    });
  } finally {
    await disk.close();
  }
  return raftId;
}
