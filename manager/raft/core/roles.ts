/** The four roles and what a node gives up and takes on when it enters them (Raft 5.1, thesis 9.6). */

import { EntryType, NONE, StateType } from '../types.ts';
import { appendEntries } from './append.ts';
import type { Raft } from './raft.ts';

export function becomeFollower(r: Raft, term: number, lead: number): void {
  r.reset(term);
  r.lead = lead;
  r.state = StateType.Follower;
  r.logger.info(`${r.name} became follower at term ${r.term}`);
}

export function becomeCandidate(r: Raft): void {
  r.reset(r.term + 1);
  r.vote = r.id;
  r.state = StateType.Candidate;
  r.logger.info(`${r.name} became candidate at term ${r.term}`);
}

/** Neither term nor vote change: a node that cannot win must not disturb those that get along. */
export function becomePreCandidate(r: Raft): void {
  r.tracker.resetVotes();
  r.lead = NONE;
  r.state = StateType.PreCandidate;
  r.logger.info(`${r.name} became pre-candidate at term ${r.term}`);
}

export function becomeLeader(r: Raft): void {
  r.reset(r.term);
  r.lead = r.id;
  r.state = StateType.Leader;

  // The leader's own log needs no probing, and the leader always counts as active.
  const own = r.tracker.progress.get(r.id)!;
  own.becomeReplicate();
  own.recentActive = true;

  // A configuration change may be among the uncommitted entries of former leaders. Rather than look for
  // it, allow no new one until all of them are applied.
  r.pendingConfIndex = r.log.lastIndex();

  // An entry of the new term: only by committing it are the former ones committed (Raft 5.4.2). It has
  // no payload, so no limit refuses it.
  r.termStart = r.log.lastIndex() + 1;
  appendEntries(r, [{ type: EntryType.Normal }]);
  r.logger.info(`${r.name} became leader at term ${r.term}`);
}
