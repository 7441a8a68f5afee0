/** One message in: the rules about terms that hold for all, then what the role makes of it. */

import { messageTypeName } from '../describe/names.ts';
import { type Message, MessageType, NONE, StateType } from '../types.ts';
import { hup, ownCampaignKind } from './campaign.ts';
import { hex, type Raft } from './raft.ts';
import { becomeFollower } from './roles.ts';
import { onStorageAppended, onStorageApplied, snapshotApplied } from './stable.ts';
import { stepCandidate } from './step-candidate.ts';
import { stepFollower } from './step-follower.ts';
import { stepLeader } from './step-leader.ts';
import { isVoteWithheld, learnCommit, onVoteRequest, reject } from './vote.ts';

/** Throws ErrProposalDropped for proposals; nothing else that a message can cause, but RaftFault. */
export function step(r: Raft, m: Message): void {
  // Term 0: a local message.
  if (m.term > r.term) {
    if (!enterTermOf(r, m)) return;
  } else if (m.term !== 0 && m.term < r.term) {
    onLowerTerm(r, m);
    return;
  }
  if (m.reject && isVoteResponse(m)) learnCommit(r, m);
  switch (m.type) {
    case MessageType.Hup:
      hup(r, ownCampaignKind(r));
      break;
    case MessageType.StorageAppendResp:
      onStorageAppended(r, m);
      break;
    case MessageType.StorageApplyResp:
      onStorageApplied(r, m);
      break;
    case MessageType.Vote:
    case MessageType.PreVote:
      onVoteRequest(r, m);
      break;
    default:
      stepRole(r, m);
      break;
  }
}

function stepRole(r: Raft, m: Message): void {
  switch (r.state) {
    case StateType.Leader:
      stepLeader(r, m);
      break;
    case StateType.Follower:
      stepFollower(r, m);
      break;
    default:
      stepCandidate(r, m);
      break;
  }
}

/** A message of a higher term. False: it is to be ignored. */
function enterTermOf(r: Raft, m: Message): boolean {
  const isRequest = m.type === MessageType.Vote || m.type === MessageType.PreVote;
  if (isRequest && isVoteWithheld(r, m)) return false;
  // The preliminary round and its granted votes speak of a term that nobody has entered. A rejection
  // has the term of a node that is ahead.
  const isHypothetical =
    m.type === MessageType.PreVote || (m.type === MessageType.PreVoteResp && !m.reject);
  if (isHypothetical) return true;
  r.logger.info(
    `${r.name} [term: ${r.term}] received a ${messageTypeName(m.type)} message with higher term ` +
      `from ${hex(m.from)} [term: ${m.term}]`,
  );
  // If the message is from the leader of that term, the follower learns so when it handles it.
  becomeFollower(r, m.term, NONE);
  return true;
}

function isVoteResponse(m: Message): boolean {
  return m.type === MessageType.VoteResp || m.type === MessageType.PreVoteResp;
}

function onLowerTerm(r: Raft, m: Message): void {
  const { checkQuorum, preVote } = r.settings;
  const isSteady = m.type === MessageType.Heartbeat || m.type === MessageType.App;
  if (isSteady && (checkQuorum || preVote)) {
    // A leader of a lower term. With leases and preliminary votes, this node's higher term would be
    // ignored when it campaigns, and it ignores the leader: stuck. The empty answer has the higher term
    // and makes the leader step down, after which all agree on a term again.
    r.send({ type: MessageType.AppResp, to: m.from });
  } else if (m.type === MessageType.PreVote) {
    // Silence could lock up a cluster: the candidate would never learn of the higher term.
    reject(r, m);
  } else if (m.type === MessageType.StorageAppendResp) {
    onLateAppend(r, m);
  } else {
    r.logger.info(
      `${r.name} [term: ${r.term}] ignored a ${messageTypeName(m.type)} message with lower term ` +
        `from ${hex(m.from)} [term: ${m.term}]`,
    );
  }
}

/** Entries may have been overwritten meanwhile; a snapshot, being committed state, cannot have been. */
function onLateAppend(r: Raft, m: Message): void {
  if (m.index !== 0) {
    r.logger.info(
      `${r.name} [term: ${r.term}] ignored entry appends from a ${messageTypeName(m.type)} message ` +
        `with lower term [term: ${m.term}]`,
    );
  }
  if (m.snapshot !== undefined) snapshotApplied(r, m.snapshot);
}
