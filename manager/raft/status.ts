/** A snapshot of what the node knows of itself and, being leader, of the others. */

import type { Raft } from './core/raft.ts';
import type { RaftFault } from './errors.ts';
import { confState } from './tracker/config.ts';
import type { Status } from './types.ts';

export function statusOf(r: Raft, fault: RaftFault | undefined): Status {
  const progress = r.isLeader ? [...r.tracker.progress].map(([id, each]) => each.status(id)) : [];
  return {
    id: r.id,
    hardState: r.hardState(),
    softState: r.softState(),
    applied: r.log.applied,
    leadTransferee: r.leadTransferee,
    confState: confState(r.tracker.config),
    progress,
    fault: fault?.message,
  };
}
