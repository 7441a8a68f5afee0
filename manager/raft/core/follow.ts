/** What every node does with the appends, heartbeats and snapshots of its leader (Raft 5.3, 7). */

import type { Changed } from '../confchange/changer.ts';
import { isSameConfState, restore as restoreConfig } from '../confchange/restore.ts';
import { ErrConfChange, RaftFault } from '../errors.ts';
import { isEmptySnapshot } from '../message.ts';
import { confState, isMember } from '../tracker/config.ts';
import { ProgressTracker } from '../tracker/tracker.ts';
import { type ConfState, type Message, MessageType, type Snapshot } from '../types.ts';
import { switchToConfig } from './membership.ts';
import { hex, type Raft } from './raft.ts';

export function onAppend(r: Raft, m: Message): void {
  if (!isLogSlice(m)) {
    r.logger.error(`${r.name} ignored a MsgApp from ${hex(m.from)} with entries out of order`);
    return;
  }
  if (m.index < r.log.committed) {
    // An old append; what it would match is committed, which is better to know.
    r.send({ type: MessageType.AppResp, to: m.from, index: r.log.committed });
    return;
  }
  const last = r.log.maybeAppend(m.logTerm, m.index, m.entries, m.commit);
  if (last !== undefined) r.send({ type: MessageType.AppResp, to: m.from, index: last });
  else rejectAppend(r, m);
}

/** A piece of a log: indexes without gaps, terms that never decrease and are not above the leader's. */
function isLogSlice(m: Message): boolean {
  let { index, logTerm: term } = m;
  for (const entry of m.entries) {
    if (entry.index !== ++index || entry.term < term) return false;
    term = entry.term;
  }
  return term <= m.term;
}

/** Says where the logs may agree at best, judged by the term the leader has at m.index. */
function rejectAppend(r: Raft, m: Message): void {
  r.logger.debug(
    `${r.name} [logterm: ${r.log.termOrZero(m.index)}, index: ${m.index}] rejected MsgApp ` +
      `[logterm: ${m.logTerm}, index: ${m.index}] from ${hex(m.from)}`,
  );
  const hint = r.log.findConflictByTerm(Math.min(m.index, r.log.lastIndex()), m.logTerm);
  r.send({
    type: MessageType.AppResp,
    to: m.from,
    index: m.index,
    reject: true,
    rejectHint: hint.index,
    logTerm: hint.term ?? 0,
  });
}

export function onHeartbeat(r: Raft, m: Message): void {
  r.log.commitTo(m.commit);
  r.send({ type: MessageType.HeartbeatResp, to: m.from, context: m.context });
}

export function onSnapshot(r: Raft, m: Message): void {
  const { snapshot } = m;
  const index = snapshot?.metadata.index ?? 0;
  const term = snapshot?.metadata.term ?? 0;
  const isRestored = snapshot !== undefined && !isEmptySnapshot(snapshot) && restore(r, snapshot);
  r.logger.info(
    `${r.name} [commit: ${r.log.committed}] ${isRestored ? 'restored' : 'ignored'} snapshot ` +
      `[index: ${index}, term: ${term}]`,
  );
  // A restored log ends there.
  r.send({ type: MessageType.AppResp, to: m.from, index: r.log.committed });
}

/** Makes the snapshot the new start of the log. False: it is of no use, and was ignored. */
function restore(r: Raft, snapshot: Snapshot): boolean {
  const { index, term } = snapshot.metadata;
  if (index <= r.log.committed) return false;
  if (!isMember(snapshot.metadata.confState, r.id)) {
    r.logger.warn(
      `${r.name} attempted to restore snapshot but it is not in the ConfState; should never happen`,
    );
    return false;
  }
  const position = () => {
    const last = r.log.lastId();
    return `[commit: ${r.log.committed}, lastindex: ${last.index}, lastterm: ${last.term}]`;
  };
  if (r.log.matchTerm(term, index)) {
    // The log has it all already, so it is only news that it is committed.
    r.logger.info(
      `${r.name} ${position()} fast-forwarded commit to snapshot [index: ${index}, term: ${term}]`,
    );
    r.log.commitTo(index);
    return false;
  }
  r.log.restore(snapshot);
  useConfState(r, snapshot.metadata.confState);
  r.configIndex = index;
  r.logger.info(`${r.name} ${position()} restored snapshot [index: ${index}, term: ${term}]`);
  return true;
}

/** Puts a durable configuration in force, in place of whatever was. RaftFault if it is none. */
export function useConfState(r: Raft, state: ConfState): void {
  const tracker = new ProgressTracker(r.settings.maxInflightMsgs, r.settings.maxInflightBytes);
  const { config, progress } = restored(tracker, r.log.lastIndex(), state);
  if (!isSameConfState(state, confState(config))) {
    throw new RaftFault(`no valid configuration: ${JSON.stringify(state)}`);
  }
  r.tracker = tracker;
  switchToConfig(r, config, progress);
}

function restored(tracker: ProgressTracker, lastIndex: number, state: ConfState): Changed {
  try {
    return restoreConfig(tracker, lastIndex, state);
  } catch (error) {
    if (!(error instanceof ErrConfChange)) throw error;
    throw new RaftFault(`no valid configuration: ${JSON.stringify(state)}: ${error.message}`);
  }
}
