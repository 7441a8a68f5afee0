/** Messages at a candidate, preliminary or real. */

import { messageTypeName, stateName } from '../describe/names.ts';
import { ErrProposalDropped } from '../errors.ts';
import { type Message, MessageType, NONE, StateType } from '../types.ts';
import { campaign } from './campaign.ts';
import { onAppend, onHeartbeat, onSnapshot } from './follow.ts';
import { hex, type Raft } from './raft.ts';
import { broadcastAppend } from './replicate.ts';
import { becomeFollower, becomeLeader } from './roles.ts';

export function stepCandidate(r: Raft, m: Message): void {
  switch (m.type) {
    case MessageType.Prop:
      r.logger.info(`${r.name} no leader at term ${r.term}; dropping proposal`);
      throw new ErrProposalDropped();
    // Whoever sends these in this term has won the election.
    case MessageType.App:
      becomeFollower(r, m.term, m.from);
      onAppend(r, m);
      break;
    case MessageType.Heartbeat:
      becomeFollower(r, m.term, m.from);
      onHeartbeat(r, m);
      break;
    case MessageType.Snap:
      becomeFollower(r, m.term, m.from);
      onSnapshot(r, m);
      break;
    case MessageType.VoteResp:
      if (r.state === StateType.Candidate) onVote(r, m);
      return;
    case MessageType.PreVoteResp:
      // Late answers of the preliminary round mean nothing to a real candidate.
      if (r.state === StateType.PreCandidate) onVote(r, m);
      return;
    case MessageType.TimeoutNow:
      r.logger.debug(
        `${r.name} [term ${r.term} state ${stateName(r.state)}] ignored MsgTimeoutNow from ${hex(m.from)}`,
      );
  }
}

function onVote(r: Raft, m: Message): void {
  const type = messageTypeName(m.type);
  r.logger.info(
    `${r.name} received ${type} ${m.reject ? 'rejection ' : ''}from ${hex(m.from)} at term ${r.term}`,
  );
  r.tracker.recordVote(m.from, !m.reject);
  const { granted, rejected, result } = r.tracker.tally();
  r.logger.info(`${r.name} has received ${granted} ${type} votes and ${rejected} vote rejections`);
  if (result === 'VoteLost') {
    becomeFollower(r, r.term, NONE);
    return;
  }
  if (result === 'VotePending') return;
  if (r.state === StateType.PreCandidate) {
    campaign(r, 'election');
    return;
  }
  becomeLeader(r);
  broadcastAppend(r);
}
