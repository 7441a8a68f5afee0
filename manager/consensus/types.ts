import type { RaftMember } from '../../proto/gen/swarm/raft.ts';

/** A log entry on its way. */
export interface Proposal {
  /** The index the entry has if it is committed; known at once, since only the leader proposes. */
  readonly index: number;
  /**
   * Resolves after the state machine applied the entry. Rejects with SWM_UNAVAILABLE when this
   * manager lost leadership first: exactly one of the two happens.
   */
  readonly committed: Promise<void>;
}

export interface Proposer {
  /** Appends to the log, synchronously, in call order. Throws SWM_NOT_LEADER. */
  propose(data: Uint8Array): Proposal;
}

/** What the log drives. */
export interface StateMachine {
  /** Called once per committed entry with data, in log order. */
  apply(index: number, data: Uint8Array): void;
  /** Leadership is gone: whatever was proposed and not applied is void. */
  discardProposals(): void;
  /** The state as of the call, in pieces; later applies do not show in it. */
  snapshot(): AsyncIterable<Uint8Array>;
  /** Replaces the whole state. */
  restore(index: number, chunks: AsyncIterable<Uint8Array>): Promise<void>;
}

export interface MemberStatus extends RaftMember {
  readonly leader: boolean;
  readonly reachable: boolean;
  readonly self: boolean;
}

/** The replicated log as the rest of a manager sees it. */
export interface ConsensusApi extends Proposer {
  readonly raftId: number;
  /** True once this manager leads and has applied every entry of earlier terms. */
  readonly isLeader: boolean;
  leader(): MemberStatus | undefined;
  members(): readonly MemberStatus[];
  /** Calls `listener` on each change of `isLeader`, false before any waiter is rejected. */
  onLeadership(listener: (isLeader: boolean) => void): () => void;
  /** Calls `listener` whenever members, their reachability or the leader changed. */
  onMembers(listener: () => void): () => void;
  /**
   * Linearizable read: resolves with an index once the state machine has applied it. On a follower
   * it asks the leader. Rejects with SWM_NO_LEADER at once when there has been none for an election
   * timeout.
   */
  readIndex(signal?: AbortSignal): Promise<number>;
  /**
   * Leader only: makes the node a member, for now a learner. The leader makes it a voter by itself once
   * it has caught up. A node that is a member already keeps its id and gets the new address, unless
   * `raftId` (0: it has no log) says that it is not the member it was; then it gets a new id.
   * Throws SWM_FAILED_PRECONDITION when no manager answers at `addr`.
   */
  addMember(request: { nodeId: string; addr: string; raftId?: number }): Promise<RaftMember>;
  /** Leader only. Throws SWM_FAILED_PRECONDITION when the removal would lose quorum. */
  removeMember(raftId: number): Promise<void>;
  /**
   * Leader only. Throws as `removeMember` would, and otherwise changes nothing. Calls the other members:
   * takes about as long as a heartbeat, and a few seconds when one of them does not answer.
   */
  confirmRemoval(raftId: number): Promise<void>;
  transferLeadership(signal?: AbortSignal): Promise<void>;
}

/** Indexes of the log, and what it takes. */
export interface ConsensusStats {
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly lastIndex: number;
  /** The first entry that is kept, and the last one that the newest snapshot covers. */
  readonly firstIndex: number;
  readonly snapshotIndex: number;
  /** Approximate memory of the entries that are kept. */
  readonly logBytes: number;
  /** Payload of proposals that are not yet applied. */
  readonly pendingBytes: number;
}
