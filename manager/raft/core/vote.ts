/** Whether to vote for somebody else (Raft 5.2, 5.4.1). */

import { voteResponseType } from '../message.ts';
import { decodeNumbers, encodeNumbers } from '../numbers.ts';
import { isVoter } from '../quorum/joint.ts';
import { type Message, MessageType, NONE } from '../types.ts';
import { hasUnappliedConfChange, isCampaigning, isTransferContext } from './campaign.ts';
import { hex, type Raft } from './raft.ts';
import { becomeFollower } from './roles.ts';

/**
 * A node that hears from a leader does not help to depose it (Raft thesis 4.2.3): within the election
 * timeout it does not even take over the term of the request. Needs CheckQuorum, by which a leader
 * without a quorum gives up by itself. A transfer of leadership goes ahead all the same.
 */
export function isVoteWithheld(r: Raft, m: Message): boolean {
  const isLeased =
    r.settings.checkQuorum && r.lead !== NONE && r.electionElapsed < r.settings.electionTick;
  if (!isLeased || isTransferContext(m.context)) return false;
  r.logger.info(
    `${describe(r, 'ignored', m)}: lease is not expired ` +
      `(remaining ticks: ${r.settings.electionTick - r.electionElapsed})`,
  );
  return true;
}

/**
 * Learners vote too. A learner may have been promoted without knowing it yet, and its vote may be the
 * one a quorum needs; a candidate that is wrong about it does not win by it.
 */
export function onVoteRequest(r: Raft, m: Message): void {
  const isPreVote = m.type === MessageType.PreVote;
  const canVote =
    r.vote === m.from || (r.vote === NONE && r.lead === NONE) || (isPreVote && m.term > r.term);
  if (!canVote || !r.log.isUpToDate({ term: m.logTerm, index: m.index })) {
    reject(r, m);
    return;
  }

  r.logger.info(describe(r, 'cast', m));
  // The answer has the term of the request, not the own: a preliminary candidate would drop an answer
  // of a lower term.
  r.send({ type: voteResponseType(m.type), to: m.from, term: m.term });
  if (isPreVote) return;
  r.electionElapsed = 0;
  r.vote = m.from;
}

/**
 * The answer has the own term: it tells a candidate that is behind. A node that is no voter (any more)
 * also says what it knows to be committed, for a candidate that has that entry without knowing. Else a
 * cluster could lock up: a leader that commits its own removal or demotion and steps down at once may be
 * the only one to know. Those that are left campaign in the old configuration, where they need the votes
 * of nodes that have longer logs but, being out of the new configuration, cannot campaign themselves.
 */
export function reject(r: Raft, m: Message): void {
  r.logger.info(describe(r, 'rejected', m));
  const { committed } = r.log;
  const isVoting = isVoter(r.tracker.config.voters, r.id);
  r.send({
    type: voteResponseType(m.type),
    to: m.from,
    term: r.term,
    reject: true,
    context: isVoting ? undefined : encodeNumbers(committed, r.log.termOrZero(committed)),
  });
}

/**
 * What was committed there is committed everywhere, and so is everything before it. A campaign ends if
 * the configuration it is about turns out to be an old one.
 */
export function learnCommit(r: Raft, m: Message): void {
  const [index = 0, term = 0] = decodeNumbers(m.context, 2) ?? [];
  if (term === 0 || r.isLeader || !r.log.maybeCommit(term, index)) return;
  if (isCampaigning(r) && hasUnappliedConfChange(r)) becomeFollower(r, r.term, NONE);
}

function describe(r: Raft, verb: 'cast' | 'rejected' | 'ignored', m: Message): string {
  const last = r.log.lastId();
  const request = m.type === MessageType.PreVote ? 'MsgPreVote' : 'MsgVote';
  return (
    `${r.name} [logterm: ${last.term}, index: ${last.index}, vote: ${hex(r.vote)}] ` +
    `${verb} ${request} ${verb === 'cast' ? 'for' : 'from'} ${hex(m.from)} ` +
    `[logterm: ${m.logTerm}, index: ${m.index}] at term ${r.term}`
  );
}
