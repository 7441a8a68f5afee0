/**
 * Everything the core throws. The class says what happened, the text is for people.
 *
 * Errors are classes, not shared values, so that each has the stack of the call it answers:
 * `catch (error) { if (error instanceof ErrProposalDropped) … }`.
 */

/** What all of them are. */
export class RaftError extends Error {
  /** That of the class. */
  override get name(): string {
    return this.constructor.name;
  }
}

/** The entries asked for are behind the start of the log: a snapshot covers them. */
export class ErrCompacted extends RaftError {
  constructor() {
    super('requested index is unavailable due to compaction');
  }
}

/** The entries asked for are not in the log (yet). */
export class ErrUnavailable extends RaftError {
  constructor() {
    super('requested entry at index is unavailable');
  }
}

/** A snapshot at this index or a newer one is already there. */
export class ErrSnapOutOfDate extends RaftError {
  constructor() {
    super('requested index is older than the existing snapshot');
  }
}

/** `Storage.snapshot()` has none now; the leader asks again at a later heartbeat. */
export class ErrSnapshotTemporarilyUnavailable extends RaftError {
  constructor() {
    super('snapshot is temporarily unavailable');
  }
}

/** No leader, leadership in transfer, node removed, or too much uncommitted: propose again later. */
export class ErrProposalDropped extends RaftError {
  constructor() {
    super('raft proposal dropped');
  }
}

/** A message that only the local node may create came in through `step`. */
export class ErrStepLocalMsg extends RaftError {
  constructor() {
    super('raft: cannot step raft local message');
  }
}

/** A message for another node came in: that node's address is now this node's, or the transport erred. */
export class ErrStepMisdirected extends RaftError {
  constructor(to: number, id: number) {
    super(`raft: a message to node ${to} has reached node ${id}`);
  }
}

/** A response came from a node that is not in the configuration. */
export class ErrStepPeerNotFound extends RaftError {
  constructor() {
    super('raft: cannot step as peer not found');
  }
}

/** A configuration change that must not be applied to the current configuration. */
export class ErrConfChange extends RaftError {}

/** `new RawNode(config)` was given a configuration that cannot work. */
export class ErrConfig extends RaftError {}

/** Bytes that are no encoded configuration change. */
export class ErrDecode extends RaftError {}

/**
 * The node's own state contradicts what the cluster knows of it: acknowledged entries are gone, or a
 * leader contradicts committed ones. Voting or acknowledging on would lose data of others, so the core
 * halts (`Status.fault`) and never acts again in this process.
 */
export class RaftFault extends RaftError {}
