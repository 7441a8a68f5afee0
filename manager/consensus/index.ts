/** The replicated log between managers. */

export { Consensus } from './consensus.ts';
export type { Dialer, Dialing } from './dial.ts';
export type { ConsensusComponents, ConsensusInit } from './init.ts';
export type { AddRequest } from './member-changes.ts';
export { createRaftMembershipService } from './membership-service.ts';
export { LEADER_KEY } from './raft-metadata.ts';
export { type Caller, createRaftService, type RaftServiceComponents } from './raft-service.ts';
export { NO_LEADER_MESSAGE } from './reads.ts';
export type { SnapshotPolicy } from './snapshotter.ts';
export type * from './types.ts';
export type { KeyRing } from './vault.ts';
