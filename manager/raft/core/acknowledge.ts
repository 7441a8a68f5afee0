/** What a leader makes of the answers to its appends, heartbeats and snapshots. */

import { decodePosition } from '../read-only.ts';
import type { Progress } from '../tracker/progress.ts';
import type { Message } from '../types.ts';
import { hex, type Raft } from './raft.ts';
import { confirmReads, releaseReads } from './reads.ts';
import { broadcastAppend, maybeCommit, maybeSendAppend, sendAppend } from './replicate.ts';
import { continueTransfer } from './transfer.ts';

export function onAppendResponse(r: Raft, m: Message, progress: Progress): void {
  progress.recentActive = true;
  if (m.reject) onRejected(r, m, progress);
  else if (m.index <= r.log.lastIndex()) onAccepted(r, m, progress);
  else {
    // No follower of this term can have more than its leader. Whoever says so is not to be counted.
    r.logger.error(`${r.name} ignored a MsgAppResp from ${hex(m.from)} past the end of the log`);
  }
}

/**
 * The follower's log does not have the entry the append followed. The hint says where its log, looked at
 * with the leader's term there, may agree at best, and the term it has there. All entries of the leader
 * with a higher term than that cannot agree, so both sides skip whole terms, and a probe is needed per
 * term and not per entry (the optimization at the end of Raft 5.3).
 */
function onRejected(r: Raft, m: Message, progress: Progress): void {
  r.logger.debug(
    `${r.name} received MsgAppResp(rejected, hint: (index ${m.rejectHint}, term ${m.logTerm})) ` +
      `from ${hex(m.from)} for index ${m.index}`,
  );
  const hint =
    m.logTerm > 0 ? r.log.findConflictByTerm(m.rejectHint, m.logTerm).index : m.rejectHint;
  if (!progress.maybeDecreaseTo(m.index, hint)) return;
  r.logger.debug(`${r.name} decreased progress of ${hex(m.from)} to [${progress.describe()}]`);
  if (progress.state === 'StateReplicate') progress.becomeProbe();
  sendAppend(r, m.from);
}

function onAccepted(r: Raft, m: Message, progress: Progress): void {
  const known = progress.match;
  const isNews = progress.maybeUpdate(m.index);
  // An answer without news still tells a probing leader that the logs agree.
  if (!isNews && !(known === m.index && progress.state === 'StateProbe')) return;
  leaveSlowPath(r, m, progress);

  if (maybeCommit(r)) {
    releaseReads(r);
    broadcastAppend(r);
  } else if (m.from !== r.id && progress.canBumpCommit(r.log.committed)) {
    // Heartbeats bring the commit index too, but later.
    sendAppend(r, m.from);
  }
  // The window may have room for several messages now.
  if (m.from !== r.id) while (maybeSendAppend(r, m.from, false));
  continueTransfer(r, m.from, progress);
}

function leaveSlowPath(r: Raft, m: Message, progress: Progress): void {
  switch (progress.state) {
    case 'StateProbe':
      progress.becomeReplicate();
      break;
    case 'StateReplicate':
      progress.inflights.freeUpTo(m.index);
      break;
    case 'StateSnapshot':
      leaveSnapshot(r, m, progress);
      break;
  }
}

/** Whatever snapshot it got, and from whomever: all that counts is whether the log can take over. */
function leaveSnapshot(r: Raft, m: Message, progress: Progress): void {
  if (progress.match + 1 >= r.log.firstIndex()) {
    r.logger.debug(
      `${r.name} recovered from needing snapshot, resumed sending replication messages ` +
        `to ${hex(m.from)} [${progress.describe()}]`,
    );
    progress.becomeProbe();
    progress.becomeReplicate();
  } else if (progress.match >= progress.pendingSnapshot) {
    // It has what the snapshot has, but the log was compacted meanwhile: it needs another one.
    progress.becomeProbe();
  }
}

export function onHeartbeatResponse(r: Raft, m: Message, progress: Progress): void {
  progress.recentActive = true;
  // One append per heartbeat even if the window is full or a probe is out: it, or they, may be lost.
  // And also to a follower in Probe that has everything, whose answer lets it go on to Replicate.
  progress.appendsPaused = false;
  if (progress.match < r.log.lastIndex() || progress.state === 'StateProbe') sendAppend(r, m.from);

  const position = decodePosition(m.context);
  if (position === 0) return;
  r.reads.acknowledge(m.from, position);
  confirmReads(r);
}

/** The driver reports how the transmission of a snapshot went. */
export function onSnapshotStatus(r: Raft, m: Message, progress: Progress): void {
  if (progress.state !== 'StateSnapshot') return;
  // After a failure the probe must not start behind the snapshot, which was never applied.
  if (m.reject) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  r.logger.debug(
    `${r.name} snapshot ${m.reject ? 'failed' : 'succeeded'}, resumed sending replication messages ` +
      `to ${hex(m.from)} [${progress.describe()}]`,
  );
  // After a success the follower's own answer comes first; after a failure, wait for a heartbeat.
  progress.appendsPaused = true;
}

/** The driver could not deliver: of the messages sent ahead, some are probably lost. */
export function onUnreachable(r: Raft, m: Message, progress: Progress): void {
  if (progress.state === 'StateReplicate') progress.becomeProbe();
  r.logger.debug(
    `${r.name} failed to send message to ${hex(m.from)} because it is unreachable ` +
      `[${progress.describe()}]`,
  );
}
