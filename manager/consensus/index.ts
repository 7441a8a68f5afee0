/**
 * The replicated log between managers: the driver of the Raft core (`raft-ts`).
 *
 *   Consensus    what the rest of a manager sees: leadership, proposals, reads, members
 *   Replica      one copy of log and state: puts the parts below together
 *   RaftLoop     one turn per event loop turn: core in, core out; AppendThread, ApplyThread
 *   LogDisk      the durable log: packs of entries, each value sealed by the Vault; LogTail in memory
 *   Snapshot*    taken beside the running log, stored and sent in chunks
 *   Transport    a stream to each Peer; PeerGate lets theirs in
 *   MemberChanges, Transfer, Failover   who the members are and which of them leads
 */

export { Consensus } from './consensus.ts';
export { type Dialer, type Dialing, MANAGER_CONNECTION } from './dial.ts';
export type { ConsensusComponents, ConsensusInit } from './init.ts';
export type { LogDb, LogOp, OpenLogDb } from './log-db.ts';
export { type RestoredLog, restoreLog } from './log-restore.ts';
export type { AddRequest } from './member-changes.ts';
export { createRaftMembershipService } from './membership-service.ts';
export { frame, unframe } from './piece-stream.ts';
export { LEADER_KEY } from './raft-metadata.ts';
export { type Caller, createRaftService, type RaftServiceComponents } from './raft-service.ts';
export { NO_LEADER_MESSAGE } from './reads.ts';
export type { AppliedState, Capture, SnapshotPolicy } from './snapshotter.ts';
export type * from './types.ts';
export { type KeyRing, Vault } from './vault.ts';
