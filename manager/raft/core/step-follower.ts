/** Messages at a follower or learner. */

import { ErrProposalDropped } from '../errors.ts';
import { type Message, MessageType, NONE } from '../types.ts';
import { hup } from './campaign.ts';
import { onAppend, onHeartbeat, onSnapshot } from './follow.ts';
import { hex, type Raft } from './raft.ts';

export function stepFollower(r: Raft, m: Message): void {
  switch (m.type) {
    case MessageType.App:
      heardFrom(r, m.from);
      return onAppend(r, m);
    case MessageType.Heartbeat:
      heardFrom(r, m.from);
      return onHeartbeat(r, m);
    case MessageType.Snap:
      heardFrom(r, m.from);
      return onSnapshot(r, m);
    case MessageType.Prop:
      return forwardProposal(r, m);
    case MessageType.TransferLeader:
      return forward(r, m, 'leader transfer msg');
    case MessageType.ReadIndex:
      return forward(r, m, 'index reading msg');
    case MessageType.ReadIndexResp:
      return onReadIndexResponse(r, m);
    case MessageType.ForgetLeader:
      return forgetLeader(r);
    case MessageType.TimeoutNow:
      r.logger.info(
        `${r.name} [term ${r.term}] received MsgTimeoutNow from ${hex(m.from)} ` +
          'and starts an election to get leadership.',
      );
      // No preliminary round: the leader itself has asked for the election.
      return hup(r, 'transfer');
  }
}

function heardFrom(r: Raft, lead: number): void {
  r.electionElapsed = 0;
  r.lead = lead;
}

function forwardProposal(r: Raft, m: Message): void {
  const { disableProposalForwarding } = r.settings;
  if (r.lead === NONE) {
    r.logger.info(`${r.name} no leader at term ${r.term}; dropping proposal`);
    throw new ErrProposalDropped();
  }
  if (disableProposalForwarding) {
    r.logger.info(
      `${r.name} not forwarding to leader ${hex(r.lead)} at term ${r.term}; dropping proposal`,
    );
    throw new ErrProposalDropped();
  }
  r.send({ ...m, to: r.lead });
}

function forward(r: Raft, m: Message, what: string): void {
  if (r.lead === NONE) {
    r.logger.info(`${r.name} no leader at term ${r.term}; dropping ${what}`);
    return;
  }
  r.send({ ...m, to: r.lead });
}

function onReadIndexResponse(r: Raft, m: Message): void {
  const [entry] = m.entries;
  if (entry === undefined || m.entries.length !== 1) {
    r.logger.error(
      `${r.name} invalid format of MsgReadIndexResp from ${hex(m.from)}, ` +
        `entries count: ${m.entries.length}`,
    );
    return;
  }
  r.readStates.push({ index: m.index, requestCtx: entry.data ?? new Uint8Array(0) });
}

/** Free to vote for somebody else, in the same term and without a change of the election timeout. */
function forgetLeader(r: Raft): void {
  if (r.settings.readOnlyOption === 'lease-based') {
    // The leader counts on this follower's lease.
    r.logger.error('ignoring MsgForgetLeader due to ReadOnlyLeaseBased');
    return;
  }
  if (r.lead === NONE) return;
  r.logger.info(`${r.name} forgetting leader ${hex(r.lead)} at term ${r.term}`);
  r.lead = NONE;
}
