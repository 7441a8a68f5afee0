/** Messages at a leader. */

import { type Message, MessageType, NONE } from '../types.ts';
import {
  onAppendResponse,
  onHeartbeatResponse,
  onSnapshotStatus,
  onUnreachable,
} from './acknowledge.ts';
import { propose } from './propose.ts';
import { hex, type Raft } from './raft.ts';
import { onReadIndex } from './reads.ts';
import { broadcastHeartbeat } from './replicate.ts';
import { becomeFollower } from './roles.ts';
import { onTransferLeader } from './transfer.ts';

export function stepLeader(r: Raft, m: Message): void {
  switch (m.type) {
    case MessageType.Beat:
      return broadcastHeartbeat(r);
    case MessageType.CheckQuorum:
      return checkQuorum(r);
    case MessageType.Prop:
      return propose(r, m.entries);
    case MessageType.ReadIndex:
      return onReadIndex(r, m);
    case MessageType.ForgetLeader:
      return;
    default:
      return stepFromPeer(r, m);
  }
}

/** Messages that are about the progress of their sender. */
function stepFromPeer(r: Raft, m: Message): void {
  const progress = r.tracker.progress.get(m.from);
  if (progress === undefined) {
    r.logger.debug(`${r.name} no progress available for ${hex(m.from)}`);
    return;
  }
  switch (m.type) {
    case MessageType.AppResp:
      return onAppendResponse(r, m, progress);
    case MessageType.HeartbeatResp:
      return onHeartbeatResponse(r, m, progress);
    case MessageType.SnapStatus:
      return onSnapshotStatus(r, m, progress);
    case MessageType.Unreachable:
      return onUnreachable(r, m, progress);
    case MessageType.TransferLeader:
      return onTransferLeader(r, m, progress);
  }
}

/** A leader that did not hear from a quorum within an election timeout gives up (Raft thesis 6.2). */
function checkQuorum(r: Raft): void {
  if (!r.tracker.quorumActive()) {
    r.logger.warn(`${r.name} stepped down to follower since quorum is not active`);
    becomeFollower(r, r.term, NONE);
  }
  for (const [id, progress] of r.tracker.progress) {
    if (id !== r.id) progress.recentActive = false;
  }
}
