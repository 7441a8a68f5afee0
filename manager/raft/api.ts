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
  /** Time has passed. */
  tick(): void;
  /** Tries to become leader now. Nothing happens if it must not. */
  campaign(): void;
  /** Appends to the leader's log; throws ErrProposalDropped without a leader or over a limit. */
  propose(data: Uint8Array): void;
  /** Several proposals as one: they become neighbours in the log, or all are dropped. */
  proposeBatch(payloads: readonly Uint8Array[]): void;
  /**
   * Like `propose`. A change that must not be made now becomes an empty entry: see with `applyConfChange`
   * whether it has taken effect.
   */
  proposeConfChange(change: ConfChangeV1 | ConfChangeV2): void;
  /**
   * To be called for every committed conf change entry, in order, when it is applied. With `index`, that
   * of the entry, a change is left out that the configuration in force covers already: in asynchronous
   * mode a snapshot may overtake entries on their way to the apply thread, so pass it there.
   */
  applyConfChange(change: ConfChangeV1 | ConfChangeV2, index?: number): ConfState;
  /**
   * Throws ErrStepLocalMsg, ErrStepPeerNotFound, ErrStepMisdirected, and ErrProposalDropped for a
   * forwarded proposal; a message of the network never throws else.
   */
  step(message: Message): void;
  /** Is there anything to do? */
  hasReady(): boolean;
  /** Takes what there is to do. In synchronous mode it must be done, and `advance` called, before the next. */
  ready(): Ready;
  /** What the last Ready asks for is done. Synchronous mode only, once for each Ready. */
  advance(): void;
  /** What the node knows. Not for every message: it copies. */
  status(): Status;
  /** Visits what a leader knows of each node, itself included, by ascending id; elsewhere nothing. */
  withProgress(visit: (progress: ProgressStatus) => void): void;
  /** Everything, on several lines: the status, the votes, the log, the reads that wait. */
  describe(): string;
  /** Index of the last entry in the log, the unstable tail included. */
  lastIndex(): number;
  /** The last message to `id` could not be delivered. */
  reportUnreachable(id: number): void;
  /** How the transmission of a snapshot to `id` went. Must be called for each, sooner or later. */
  reportSnapshot(id: number, ok: boolean): void;
  /** Hands leadership over, if this node leads; else asks the leader to. Given up after an election timeout. */
  transferLeader(transferee: number): void;
  /** Lets this follower vote for somebody else before its election timeout, in a later term. */
  forgetLeader(): void;
  /** The answer comes as a ReadState with the same `ctx`, or never: retry with a new one. */
  readIndex(ctx: Uint8Array): void;
}
