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
/** See `LOCAL_APPEND_THREAD`. */
export const LOCAL_APPLY_THREAD = Number.MAX_SAFE_INTEGER - 1;

/** What the payload of an entry is: the driver's own, or a change of the configuration. */
export const EntryType = { Normal: 0, ConfChange: 1, ConfChangeV2: 2 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

/** A place in the log. Two entries with the same index and term are the same (Raft 5.3). */
export interface Entry {
  /** The term of the leader that appended it. */
  readonly term: number;
  /** Its place, from 1, without gaps. */
  readonly index: number;
  /** What `data` is. */
  readonly type: EntryType;
  /** Absent and empty are the same. */
  readonly data?: Uint8Array;
}

/** What a message asks or answers; the numbers are those on the wire. */
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

/** A configuration as it is stored and sent: ids, in whatever order. */
export interface ConfState {
  /** Those whose majority decides; in a transition, of the incoming half. */
  readonly voters: readonly number[];
  /** Those that get the log and do not count. */
  readonly learners: readonly number[];
  /** The outgoing half of a transition, whose majority is needed as well; else empty. */
  readonly votersOutgoing: readonly number[];
  /** Outgoing voters that become learners when the transition ends. */
  readonly learnersNext: readonly number[];
  /** The leader ends the transition by itself. */
  readonly autoLeave: boolean;
}

/** What the core must know of a snapshot. */
export interface SnapshotMetadata {
  /** The configuration in force after entry `index`. */
  readonly confState: ConfState;
  /** The last entry that is in it. */
  readonly index: number;
  /** The term of that entry. */
  readonly term: number;
}

/** The state of the state machine after an entry, in place of the log up to there. */
export interface Snapshot {
  /** The end of what it covers. */
  readonly metadata: SnapshotMetadata;
  /** The driver's own; it may also travel beside the message. */
  readonly data?: Uint8Array;
}

/** What nodes say to each other. A field that a type does not need is 0, empty or absent. */
export interface Message {
  /** What it asks or answers. */
  readonly type: MessageType;
  /** The receiver, or a storage thread. */
  readonly to: number;
  /** The sender, or a storage thread. */
  readonly from: number;
  /** The sender's term; the one campaigned for in preliminary votes; 0 in local messages. */
  readonly term: number;
  /** The term of entry `index`. */
  readonly logTerm: number;
  /** App: the entry before `entries`. AppResp: the last one that agrees, or the refused one. */
  readonly index: number;
  /** To be appended (App), proposed (Prop), applied (StorageApply), or a read's context. */
  readonly entries: readonly Entry[];
  /** What the sender knows to be committed, as far as it concerns the receiver. */
  readonly commit: number;
  /** StorageAppend only: the vote to be stored. */
  readonly vote: number;
  /** Snap, StorageAppend: the new start of the log. */
  readonly snapshot?: Snapshot;
  /** The answer is no. */
  readonly reject: boolean;
  /** Where the logs may agree at best. */
  readonly rejectHint: number;
  /** Heartbeats: a position in the queue of reads. Votes: whether leadership is handed over. */
  readonly context?: Uint8Array;
  /** Storage messages only: what to deliver once the work is durable or applied. */
  readonly responses?: readonly Message[];
}

/** What must survive a crash, beside the log. */
export interface HardState {
  /** The latest term that the node has seen. */
  readonly term: number;
  /** Whom it has voted for in this term; 0 for nobody. */
  readonly vote: number;
  /** What it knows to be committed. May be behind after a crash. */
  readonly commit: number;
}

/** The role of a node. */
export const StateType = { Follower: 0, Candidate: 1, Leader: 2, PreCandidate: 3 } as const;
export type StateType = (typeof StateType)[keyof typeof StateType];

/** What need not survive a crash. */
export interface SoftState {
  /** Who leads, as far as the node knows; 0 for nobody. */
  readonly lead: number;
  /** Its role. */
  readonly raftState: StateType;
}

/** The answer to `readIndex`. */
export interface ReadState {
  /** The log position the read must wait for: serve it once `applied >= index`. */
  readonly index: number;
  /** What `readIndex` was given. */
  readonly requestCtx: Uint8Array;
}

/** What is to become of a node: a voter, gone, told of (which changes nothing here), a learner. */
export const ConfChangeType = {
  AddNode: 0,
  RemoveNode: 1,
  UpdateNode: 2,
  AddLearnerNode: 3,
} as const;
export type ConfChangeType = (typeof ConfChangeType)[keyof typeof ConfChangeType];

/**
 * `Auto`: in one step if it is one change, else by a transition that the leader ends. `JointImplicit`: by
 * such a transition in any case. `JointExplicit`: the driver ends it, by a change without changes.
 */
export const ConfChangeTransition = { Auto: 0, JointImplicit: 1, JointExplicit: 2 } as const;
export type ConfChangeTransition = (typeof ConfChangeTransition)[keyof typeof ConfChangeTransition];

/** A change for one node. */
export interface ConfChangeSingle {
  /** What it is to become. */
  readonly type: ConfChangeType;
  /** Which node; 0 changes nothing. */
  readonly nodeId: number;
}

/** Encoded with `encodeConfChange` in an entry of type ConfChangeV2. No changes: leave joint. */
export interface ConfChangeV2 {
  /** How they take effect. */
  readonly transition: ConfChangeTransition;
  /** They take effect together, in this order. */
  readonly changes: readonly ConfChangeSingle[];
  /** The driver's own, e.g. the address of a new node. */
  readonly context?: Uint8Array;
}

/** One change, in an entry of type ConfChange. */
export interface ConfChangeV1 extends ConfChangeSingle {
  /** The driver's own, e.g. the address of a new node. */
  readonly context?: Uint8Array;
}

/**
 * What the core reads of the durable log. Synchronous: an implementation keeps the tail in memory
 * (`MemoryStorage` does, and may stand in front of a disk).
 */
export interface Storage {
  /** What was durable when the process began; the configuration is that after entry `applied`. */
  initialState(): { hardState: HardState; confState: ConfState };
  /** Entries in [lo, hi), at least one, at most `maxSize` bytes. Throws ErrCompacted, ErrUnavailable. */
  entries(lo: number, hi: number, maxSize: number): readonly Entry[];
  /** Term of entry `index`, in [firstIndex()-1, lastIndex()]. Throws ErrCompacted, ErrUnavailable. */
  term(index: number): number;
  /** Of the last entry; of the snapshot if there is none behind it; else 0. */
  lastIndex(): number;
  /** Of the first entry that is kept, or would be if there was one. */
  firstIndex(): number;
  /**
   * The newest: asked for when a follower needs it, and not sent if it is from before that follower was
   * added. Throws ErrSnapshotTemporarilyUnavailable to be asked again later.
   */
  snapshot(): Snapshot;
}

/** Where the node tells what it does, for people. */
export interface Logger {
  /** Single answers, and why they were so. */
  debug(text: string): void;
  /** Elections, votes, roles, configurations. */
  info(text: string): void;
  /** What may be a problem of others, or of the configuration. */
  warn(text: string): void;
  /** What should not be. */
  error(text: string): void;
}

/** How reads are confirmed: by a round of heartbeats, or by the lease, which trusts the clocks. */
export type ReadOnlyOption = 'safe' | 'lease-based';

/** Of one node. What is optional is off, or without limit. */
export interface Config {
  /** In [1, 2^53 - 2), and never used for another node, nor for this one without its storage. */
  readonly id: number;
  /** Ticks without a leader before a campaign, at least; nearly twice that at most. */
  readonly electionTick: number;
  /** Ticks between two heartbeats of a leader: well below `electionTick`. */
  readonly heartbeatTick: number;
  /** What is durable. */
  readonly storage: Storage;
  /**
   * The last entry that the state machine has in it already: what is committed behind it is handed out.
   * Default: that of the snapshot that the log begins with.
   */
  readonly applied?: number;
  /** Writes are orders to storage threads, which the node does not wait for. */
  readonly asyncStorageWrites?: boolean;
  /** Bytes of entries per App message; 0 is one entry per message. */
  readonly maxSizePerMsg: number;
  /** Default `maxSizePerMsg`. */
  readonly maxCommittedSizePerReady?: number;
  /** Payload bytes in the uncommitted tail of a leader; 0 is no limit. */
  readonly maxUncommittedEntriesSize?: number;
  /** Messages with entries that are on their way to one follower: at least 1. */
  readonly maxInflightMsgs: number;
  /** The same in bytes of payload; passed by one message at most. 0 is no limit. */
  readonly maxInflightBytes?: number;
  /** A leader without a quorum gives up, and followers that hear from a leader vote for nobody. */
  readonly checkQuorum?: boolean;
  /** A campaign begins with the question whether it could succeed, which disturbs nobody. */
  readonly preVote?: boolean;
  /** Default 'safe'. 'lease-based' needs `checkQuorum`. */
  readonly readOnlyOption?: ReadOnlyOption;
  /** Proposals at followers are dropped, instead of being sent to the leader. */
  readonly disableProposalForwarding?: boolean;
  /** Changes enter the log whatever they are: then the driver must void those that cannot be applied. */
  readonly disableConfChangeValidation?: boolean;
  /** A leader that was removed or demoted leads no more. Recommended. */
  readonly stepDownOnRemoval?: boolean;
  /** Default: nobody listens. */
  readonly logger?: Logger;
  /** Uniform in [0, 1): the election timeout's only source of randomness. */
  readonly random: () => number;
}

/** What is to be done: persist, send, apply; then `advance()` (in synchronous mode). */
export interface Ready {
  /** If it has changed. */
  readonly softState?: SoftState;
  /** If it has changed: to be made durable before `messages` are sent. */
  readonly hardState?: HardState;
  /** Reads that may be served once their index is applied. */
  readonly readStates: readonly ReadState[];
  /** To be made durable before `messages` are sent (synchronous mode). */
  readonly entries: readonly Entry[];
  /** If one came in: to be made durable in place of the log, and loaded. */
  readonly snapshot?: Snapshot;
  /** To be applied, in order. */
  readonly committedEntries: readonly Entry[];
  /** To be sent, and in asynchronous mode also the orders to the storage threads. */
  readonly messages: readonly Message[];
  /**
   * False: `entries`, the term and the vote are as they were, and `hardState` may be written without
   * fsync. A `snapshot` always needs fsync: as in etcd-io/raft, it does not count here.
   */
  readonly mustSync: boolean;
}

/** How a follower is sent entries: one by one, ahead of its answers, or not, for it needs a snapshot. */
export type ProgressState = 'StateProbe' | 'StateReplicate' | 'StateSnapshot';

/** What a leader knows of one node, itself included. */
export interface ProgressStatus {
  /** Whose. */
  readonly id: number;
  /** It has durably the leader's log up to here. */
  readonly match: number;
  /** The next entry to be sent to it. */
  readonly next: number;
  /** How it is sent entries. */
  readonly state: ProgressState;
  /** It does not count for the majority. */
  readonly isLearner: boolean;
  /** It was heard from since the last check of the quorum. */
  readonly recentActive: boolean;
  /** Nothing is sent to it before it answers, or the next heartbeat. */
  readonly paused: boolean;
  /** The index of the snapshot on its way to it, or 0. */
  readonly pendingSnapshot: number;
  /** Messages with entries on their way to it. */
  readonly inflightCount: number;
  /** No more of them are sent ahead, for now. */
  readonly inflightFull: boolean;
}

/** What a node knows of itself. */
export interface Status {
  /** The node. */
  readonly id: number;
  /** As of now, durable or not. */
  readonly hardState: HardState;
  /** As of now. */
  readonly softState: SoftState;
  /** The last entry that the driver has reported as applied. */
  readonly applied: number;
  /** To whom leadership is being handed over, or 0. */
  readonly leadTransferee: number;
  /** The configuration in force. */
  readonly confState: ConfState;
  /** Leader only, sorted by id. */
  readonly progress: readonly ProgressStatus[];
  /**
   * Why the node has halted, if it has: its durable state contradicts the cluster's (entries it had
   * acknowledged are gone). It answers nothing any more; to go on, it must join anew under a new id.
   */
  readonly fault?: string;
}
