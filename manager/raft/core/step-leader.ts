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
      broadcastHeartbeat(r);
      break;
    case MessageType.CheckQuorum:
      checkQuorum(r);
      break;
    case MessageType.Prop:
      propose(r, m.entries);
      break;
    case MessageType.ReadIndex:
      onReadIndex(r, m);
      break;
    case MessageType.ForgetLeader:
      return;
    default:
      stepFromPeer(r, m);
      break;
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
      onAppendResponse(r, m, progress);
      break;
    case MessageType.HeartbeatResp:
      onHeartbeatResponse(r, m, progress);
      break;
    case MessageType.SnapStatus:
      onSnapshotStatus(r, m, progress);
      break;
    case MessageType.Unreachable:
      onUnreachable(r, m, progress);
      break;
    case MessageType.TransferLeader:
      onTransferLeader(r, m, progress);
      break;
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
