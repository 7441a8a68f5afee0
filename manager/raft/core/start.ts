/** A node as it comes up: from the durable state of its storage, as a follower of nobody. */

import { settingsOf } from '../config.ts';
import { RaftFault } from '../errors.ts';
import { voterIds } from '../quorum/joint.ts';
import { type Config, type HardState, NONE } from '../types.ts';
import { useConfState } from './follow.ts';
import { hex, Raft } from './raft.ts';
import { becomeFollower } from './roles.ts';

/** Throws ErrConfig, and RaftFault if the durable state contradicts itself. */
export function startRaft(config: Config): Raft {
  const r = new Raft(settingsOf(config));
  const { hardState, confState } = config.storage.initialState();
  useConfState(r, confState);
  loadHardState(r, hardState);
  if (r.settings.applied > 0) r.log.appliedTo(r.settings.applied, 0);
  r.configIndex = r.log.applied;
  becomeFollower(r, r.term, NONE);
  const peers = voterIds(r.tracker.config.voters).map(hex);
  const last = r.log.lastId();
  r.logger.info(
    `newRaft ${r.name} [peers: [${peers.join(',')}], term: ${r.term}, commit: ${r.log.committed}, ` +
      `applied: ${r.log.applied}, lastindex: ${last.index}, lastterm: ${last.term}]`,
  );
  return r;
}

/**
 * What was applied, and what a snapshot replaced, was committed. The stored commit index may be behind
 * that: alone it is written without fsync, or later than the entries are applied.
 */
function loadHardState(r: Raft, { term, vote, commit }: HardState): void {
  const committed = Math.max(commit, r.log.committed, r.settings.applied);
  const last = r.log.lastIndex();
  if (committed > last) {
    throw new RaftFault(
      `${r.name} state.commit ${committed} is out of range [${r.log.committed}, ${last}]`,
    );
  }
  r.log.committed = committed;
  r.term = term;
  r.vote = vote;
}
