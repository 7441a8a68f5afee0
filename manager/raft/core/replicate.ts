/** How a leader brings its log and its commit index to the others (Raft 5.3). */

import { NO_LIMIT, payloadsSize } from '../entry.ts';
import { ErrSnapshotTemporarilyUnavailable } from '../errors.ts';
import { isEmptySnapshot, NO_ENTRIES } from '../message.ts';
import { encodePosition } from '../read-only.ts';
import { isMember } from '../tracker/config.ts';
import type { Progress } from '../tracker/progress.ts';
import { type Entry, MessageType, type Snapshot } from '../types.ts';
import { hex, type Raft } from './raft.ts';

/** Sends what `to` may be sent next, if only the commit index. */
export function sendAppend(r: Raft, to: number): void {
  maybeSendAppend(r, to, true);
}

export function broadcastAppend(r: Raft): void {
  for (const id of r.tracker.progress.keys()) {
    if (id !== r.id) maybeSendAppend(r, id, true);
  }
}

/**
 * Sends one append, or a snapshot where the log no longer reaches back far enough. An append without
 * entries goes out only with `evenIfEmpty`. Returns whether something was sent.
 */
export function maybeSendAppend(r: Raft, to: number, evenIfEmpty: boolean): boolean {
  const progress = r.tracker.progress.get(to);
  if (progress === undefined || progress.paused) return false;

  const previous = progress.next - 1;
  const previousTerm = r.log.maybeTerm(previous);
  // Without its term the append could not be checked; term 0 would wrongly match an empty log.
  if (previousTerm === undefined) return maybeSendSnapshot(r, to, progress);

  const entries = entriesFor(r, progress);
  if (entries.length === 0 && !evenIfEmpty) return false;

  r.send({
    type: MessageType.App,
    to,
    index: previous,
    logTerm: previousTerm,
    entries,
    commit: r.log.committed,
  });
  progress.sentEntries(entries.length, payloadsSize(entries));
  progress.sentCommit = r.log.committed;
  return true;
}

/** With a full window none: the append is then only a probe. */
function entriesFor(r: Raft, progress: Progress): readonly Entry[] {
  if (progress.state === 'StateReplicate' && progress.inflights.full) return NO_ENTRIES;
  return r.log.entries(progress.next, Math.min(r.settings.maxSizePerMsg, NO_LIMIT));
}

function maybeSendSnapshot(r: Raft, to: number, progress: Progress): boolean {
  if (!progress.recentActive) {
    r.logger.debug(`ignore sending snapshot to ${hex(to)} since it is not recently active`);
    return false;
  }
  const snapshot = snapshotFor(r, to);
  if (snapshot === undefined) {
    r.logger.debug(
      `${r.name} failed to send snapshot to ${hex(to)} because snapshot is temporarily unavailable`,
    );
    return false;
  }
  const { index, term } = snapshot.metadata;
  r.logger.debug(
    `${r.name} [firstindex: ${r.log.firstIndex()}, commit: ${r.log.committed}] ` +
      `sent snapshot[index: ${index}, term: ${term}] to ${hex(to)} [${progress.describe()}]`,
  );
  progress.becomeSnapshot(index);
  r.logger.debug(
    `${r.name} paused sending replication messages to ${hex(to)} [${progress.describe()}]`,
  );
  r.send({ type: MessageType.Snap, to, snapshot });
  return true;
}

/**
 * The snapshot to send to `to`; undefined while there is none. One from before `to` was added does not
 * count: a node ignores a snapshot whose configuration it is not in.
 */
function snapshotFor(r: Raft, to: number): Snapshot | undefined {
  try {
    const snapshot = r.log.storage.snapshot();
    if (isEmptySnapshot(snapshot)) {
      throw new Error('bug of the storage: the log is compacted, but there is no snapshot');
    }
    return isMember(snapshot.metadata.confState, to) ? snapshot : undefined;
  } catch (error) {
    if (error instanceof ErrSnapshotTemporarilyUnavailable) return undefined;
    throw error;
  }
}

/** A heartbeat to everybody; the waiting reads are confirmed by its answers. */
export function broadcastHeartbeat(r: Raft): void {
  const { position } = r.reads;
  const context = position === 0 ? undefined : encodePosition(position);
  for (const [id, progress] of r.tracker.progress) {
    if (id === r.id) continue;
    // Not beyond what the follower is known to have: its log may hold something else there.
    const commit = Math.min(progress.match, r.log.committed);
    r.send({ type: MessageType.Heartbeat, to: id, commit, context });
    progress.sentCommit = commit;
  }
}

/** Commits what a quorum has. Returns whether the commit index moved: then everybody is to hear of it. */
export function maybeCommit(r: Raft): boolean {
  return r.log.maybeCommit(r.term, r.tracker.committed());
}

/** Has this leader committed an entry of its own term? Only then is its commit index up to date. */
export function committedInTerm(r: Raft): boolean {
  return r.log.committed >= r.termStart;
}
