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
      onAppend(r, m);
      break;
    case MessageType.Heartbeat:
      heardFrom(r, m.from);
      onHeartbeat(r, m);
      break;
    case MessageType.Snap:
      heardFrom(r, m.from);
      onSnapshot(r, m);
      break;
    case MessageType.Prop:
      forwardProposal(r, m);
      break;
    case MessageType.TransferLeader:
      forward(r, m, 'leader transfer msg');
      break;
    case MessageType.ReadIndex:
      forward(r, m, 'index reading msg');
      break;
    case MessageType.ReadIndexResp:
      onReadIndexResponse(r, m);
      break;
    case MessageType.ForgetLeader:
      forgetLeader(r);
      break;
    case MessageType.TimeoutNow:
      r.logger.info(
        `${r.name} [term ${r.term}] received MsgTimeoutNow from ${hex(m.from)} ` +
          'and starts an election to get leadership.',
      );
      // No preliminary round: the leader itself has asked for the election.
      hup(r, 'transfer');
      break;
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
