/**
 * The data of the core. Names and meanings are those of etcd-io/raft's raftpb.
 *
 * Ids, terms and indexes are 64-bit on the wire. Inside they are `number`s, and every decoder must
 * refuse a value above `Number.MAX_SAFE_INTEGER`: a log at a million entries a second takes 285 years
 * to get there, and arithmetic on plain numbers is what makes the core fast. Raft ids are drawn from
 * the same range.
 */

/** No node: ids start at 1. */
export const NONE = 0;
/** The addresses of the storage threads in asynchronous mode; never ids of nodes. */
export const LOCAL_APPEND_THREAD = Number.MAX_SAFE_INTEGER;
export const LOCAL_APPLY_THREAD = Number.MAX_SAFE_INTEGER - 1;

export const EntryType = { Normal: 0, ConfChange: 1, ConfChangeV2: 2 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  /** Absent and empty are the same. */
  readonly data?: Uint8Array;
}

export const MessageType = {
  Hup: 0,
  Beat: 1,
  Prop: 2,
  App: 3,
  AppResp: 4,
  Vote: 5,
  VoteResp: 6,
  Snap: 7,
  Heartbeat: 8,
  HeartbeatResp: 9,
  Unreachable: 10,
  SnapStatus: 11,
  CheckQuorum: 12,
  TransferLeader: 13,
  TimeoutNow: 14,
  ReadIndex: 15,
  ReadIndexResp: 16,
  PreVote: 17,
  PreVoteResp: 18,
  StorageAppend: 19,
  StorageAppendResp: 20,
  StorageApply: 21,
  StorageApplyResp: 22,
  ForgetLeader: 23,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

export interface ConfState {
  readonly voters: readonly number[];
  readonly learners: readonly number[];
  readonly votersOutgoing: readonly number[];
  readonly learnersNext: readonly number[];
  readonly autoLeave: boolean;
}

export interface SnapshotMetadata {
  readonly confState: ConfState;
  readonly index: number;
  readonly term: number;
}

export interface Snapshot {
  readonly metadata: SnapshotMetadata;
  readonly data?: Uint8Array;
}

export interface Message {
  readonly type: MessageType;
  readonly to: number;
  readonly from: number;
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  readonly vote: number;
  readonly snapshot?: Snapshot;
  readonly reject: boolean;
  readonly rejectHint: number;
  readonly context?: Uint8Array;
  /** Storage messages only: what to deliver once the work is durable or applied. */
  readonly responses?: readonly Message[];
}

export interface HardState {
  readonly term: number;
  readonly vote: number;
  readonly commit: number;
}

export const StateType = { Follower: 0, Candidate: 1, Leader: 2, PreCandidate: 3 } as const;
export type StateType = (typeof StateType)[keyof typeof StateType];

export interface SoftState {
  readonly lead: number;
  readonly raftState: StateType;
}

export interface ReadState {
  /** The log position the read must wait for: serve it once `applied >= index`. */
  readonly index: number;
  readonly requestCtx: Uint8Array;
}

export const ConfChangeType = {
  AddNode: 0,
  RemoveNode: 1,
  UpdateNode: 2,
  AddLearnerNode: 3,
} as const;
export type ConfChangeType = (typeof ConfChangeType)[keyof typeof ConfChangeType];

export const ConfChangeTransition = { Auto: 0, JointImplicit: 1, JointExplicit: 2 } as const;
export type ConfChangeTransition = (typeof ConfChangeTransition)[keyof typeof ConfChangeTransition];

export interface ConfChangeSingle {
  readonly type: ConfChangeType;
  readonly nodeId: number;
}

/** Encoded with `encodeConfChange` in an entry of type ConfChangeV2. No changes: leave joint. */
export interface ConfChangeV2 {
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  readonly context?: Uint8Array;
}

/** One change, in an entry of type ConfChange. */
export interface ConfChangeV1 extends ConfChangeSingle {
  readonly context?: Uint8Array;
}

/**
 * What the core reads of the durable log. Synchronous: an implementation keeps the tail in memory
 * (`MemoryStorage` does, and may stand in front of a disk).
 */
export interface Storage {
  initialState(): { hardState: HardState; confState: ConfState };
  /** Entries in [lo, hi), at least one, at most `maxSize` bytes. Throws ErrCompacted, ErrUnavailable. */
  entries(lo: number, hi: number, maxSize: number): readonly Entry[];
  /** Term of entry `index`, in [firstIndex()-1, lastIndex()]. Throws ErrCompacted, ErrUnavailable. */
  term(index: number): number;
  lastIndex(): number;
  firstIndex(): number;
  /** Throws ErrSnapshotTemporarilyUnavailable to be asked again later. */
  snapshot(): Snapshot;
}

export interface Logger {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

export type ReadOnlyOption = 'safe' | 'lease-based';

export interface Config {
  readonly id: number;
  readonly electionTick: number;
  readonly heartbeatTick: number;
  readonly storage: Storage;
  /** The last applied index; set on restart only. */
  readonly applied?: number;
  readonly asyncStorageWrites?: boolean;
  /** Bytes of entries per App message; 0 is one entry per message. */
  readonly maxSizePerMsg: number;
  /** Default `maxSizePerMsg`. */
  readonly maxCommittedSizePerReady?: number;
  /** Payload bytes in the uncommitted tail of a leader; 0 is no limit. */
  readonly maxUncommittedEntriesSize?: number;
  readonly maxInflightMsgs: number;
  /** 0 is no limit. */
  readonly maxInflightBytes?: number;
  readonly checkQuorum?: boolean;
  readonly preVote?: boolean;
  readonly readOnlyOption?: ReadOnlyOption;
  readonly disableProposalForwarding?: boolean;
  readonly disableConfChangeValidation?: boolean;
  readonly stepDownOnRemoval?: boolean;
  readonly logger?: Logger;
  /** Uniform in [0, 1): the election timeout's only source of randomness. */
  readonly random: () => number;
}

/** What is to be done: persist, send, apply; then `advance()` (in synchronous mode). */
export interface Ready {
  readonly softState?: SoftState;
  readonly hardState?: HardState;
  readonly readStates: readonly ReadState[];
  /** To be made durable before `messages` are sent (synchronous mode). */
  readonly entries: readonly Entry[];
  readonly snapshot?: Snapshot;
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** False: `hardState` may be written without fsync. */
  readonly mustSync: boolean;
}

export type ProgressState = 'StateProbe' | 'StateReplicate' | 'StateSnapshot';

export interface ProgressStatus {
  readonly id: number;
  readonly match: number;
  readonly next: number;
  readonly state: ProgressState;
  readonly isLearner: boolean;
  readonly recentActive: boolean;
  readonly paused: boolean;
  readonly pendingSnapshot: number;
  readonly inflightCount: number;
}

export interface Status {
  readonly id: number;
  readonly hardState: HardState;
  readonly softState: SoftState;
  readonly applied: number;
  readonly leadTransferee: number;
  readonly confState: ConfState;
  /** Leader only, sorted by id. */
  readonly progress: readonly ProgressStatus[];
  /**
   * Why the node has halted, if it has: its durable state contradicts the cluster's (entries it had
   * acknowledged are gone). It answers nothing any more; to go on, it must join anew under a new id.
   */
  readonly fault?: string;
}

/**
 * The state machine as its driver uses it. Not re-entrant, no I/O, no clock.
 *
 *   const node = new RawNode(config);
 *   node.step(message) | node.tick() | node.propose(data)
 *   while (node.hasReady()) { const ready = node.ready(); persist; send; apply; node.advance(); }
 */
export interface RawNodeApi {
  tick(): void;
  campaign(): void;
  /** Appends to the leader's log; throws ErrProposalDropped without a leader or over a limit. */
  propose(data: Uint8Array): void;
  proposeConfChange(change: ConfChangeV1 | ConfChangeV2): void;
  /**
   * To be called for every committed conf change entry, in order, when it is applied. With `index`, that
   * of the entry, a change is left out that the configuration in force covers already: in asynchronous
   * mode a snapshot may overtake entries on their way to the apply thread, so pass it there.
   */
  applyConfChange(change: ConfChangeV1 | ConfChangeV2, index?: number): ConfState;
  /**
   * Throws ErrStepLocalMsg, ErrStepPeerNotFound, and ErrProposalDropped for a forwarded proposal; a
   * message of the network never throws else.
   */
  step(message: Message): void;
  hasReady(): boolean;
  ready(): Ready;
  /** Synchronous mode only. */
  advance(): void;
  status(): Status;
  /** Index of the last entry in the log, the unstable tail included. */
  lastIndex(): number;
  reportUnreachable(id: number): void;
  reportSnapshot(id: number, ok: boolean): void;
  transferLeader(transferee: number): void;
  forgetLeader(): void;
  /** The answer comes as a ReadState with the same `ctx`, or never: retry with a new one. */
  readIndex(ctx: Uint8Array): void;
}
