import type {
  ConfChangeV1,
  ConfChangeV2,
  ConfState,
  Message,
  ProgressStatus,
  Ready,
  Status,
} from './types.ts';

/**
 * The state machine as its driver uses it. Not re-entrant, no I/O, no clock.
 *
 *   const node = new RawNode(config);
 *   node.step(message) | node.tick() | node.propose(data)
 *   while (node.hasReady()) { const ready = node.ready(); persist; send; apply; node.advance(); }
 */
export interface RawNodeApi {
  /** One unit of time has passed; `electionTick` and `heartbeatTick` count these. */
  tick(): void;
  /** Starts an election now, unless this node leads or may not become leader. */
  campaign(): void;
  /** Appends to the leader's log; throws ErrProposalDropped without a leader or over a limit. */
  propose(data: Uint8Array): void;
  /** Several proposals as one: they become neighbours in the log, or all are dropped. */
  proposeBatch(payloads: readonly Uint8Array[]): void;
  /**
   * Like `propose`. A change that is not possible now becomes an empty entry: whether it took effect
   * shows when the entry is applied.
   */
  proposeConfChange(change: ConfChangeV1 | ConfChangeV2): void;
  /**
   * To be called for every committed configuration change, in log order, when its entry is applied.
   * `index` is that of the entry: with it, a change that a snapshot has brought already is skipped. In
   * asynchronous mode a snapshot may overtake entries on their way to the apply thread, so pass it there.
   * Returns the configuration in force.
   */
  applyConfChange(change: ConfChangeV1 | ConfChangeV2, index?: number): ConfState;
  /**
   * Takes a message from a peer, or a response of a storage thread. Throws ErrStepLocalMsg,
   * ErrStepPeerNotFound, ErrStepMisdirected, or ErrProposalDropped for a forwarded proposal, and nothing
   * else whatever a peer sends.
   */
  step(message: Message): void;
  /** Whether `ready` has anything to do. */
  hasReady(): boolean;
  /** Takes what there is to do. In synchronous mode it must be done, and `advance` called, before the next. */
  ready(): Ready;
  /** Tells that all of the last Ready is done. Synchronous mode only, once for each Ready. */
  advance(): void;
  /** The state of the node. It is a copy, so do not ask after every message. */
  status(): Status;
  /** Visits what a leader knows of each node, itself included, by ascending id; at others, nothing. */
  withProgress(visit: (progress: ProgressStatus) => void): void;
  /** The status, the votes, the log and the waiting reads as text of several lines. */
  describe(): string;
  /** Index of the last entry in the log, the unstable tail included. */
  lastIndex(): number;
  /** The last message to `id` could not be delivered. */
  reportUnreachable(id: number): void;
  /** Whether the snapshot sent to `id` arrived. To be called once for each `Snap` message. */
  reportSnapshot(id: number, ok: boolean): void;
  /** Hands leadership over, or asks the leader to. The leader gives up after an election timeout. */
  transferLeader(transferee: number): void;
  /** Lets this follower vote for somebody else before its election timeout, in a later term. */
  forgetLeader(): void;
  /** The answer comes as a ReadState with the same `ctx`, or never: retry with a new one. */
  readIndex(ctx: Uint8Array): void;
}
