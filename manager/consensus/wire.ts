import {
  type ConfState,
  type Entry,
  type Message,
  MessageType,
  type SnapshotMetadata,
} from 'raft-ts';
import type { RaftConfState, RaftEntry, RaftMessage } from '../../proto/gen/swarm/raft.ts';

const NO_BYTES = Buffer.alloc(0);
const NO_CONF_STATE: RaftConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** Types that a peer may send. The others are a node's talk with itself. */
const FROM_PEERS: ReadonlySet<number> = new Set([
  MessageType.App,
  MessageType.AppResp,
  MessageType.Vote,
  MessageType.VoteResp,
  MessageType.Snap,
  MessageType.Heartbeat,
  MessageType.HeartbeatResp,
  MessageType.TimeoutNow,
  MessageType.ReadIndex,
  MessageType.ReadIndexResp,
  MessageType.PreVote,
  MessageType.PreVoteResp,
]);

/** The data of a snapshot, which is its membership, travel as the context of the message. */
export function toWire(message: Message): RaftMessage {
  const { snapshot } = message;
  return {
    type: message.type,
    to: message.to,
    from: message.from,
    term: message.term,
    logTerm: message.logTerm,
    index: message.index,
    entries: message.entries.map(entryToWire),
    commit: message.commit,
    vote: message.vote,
    snapshot: snapshot && { ...snapshot.metadata },
    reject: message.reject,
    rejectHint: message.rejectHint,
    context: bytes(snapshot ? snapshot.data : message.context),
  };
}

/** Undefined for a message that no peer has a reason to send. */
export function fromWire(message: RaftMessage): Message | undefined {
  if (!FROM_PEERS.has(message.type) || message.to === 0 || message.from === 0) return undefined;
  const isSnapshot = message.type === MessageType.Snap;
  if (isSnapshot !== (message.snapshot !== undefined)) return undefined;
  return {
    type: message.type as MessageType,
    to: message.to,
    from: message.from,
    term: message.term,
    logTerm: message.logTerm,
    index: message.index,
    entries: message.entries as readonly Entry[],
    commit: message.commit,
    vote: message.vote,
    reject: message.reject,
    rejectHint: message.rejectHint,
    ...(message.snapshot
      ? { snapshot: { metadata: metadataFromWire(message.snapshot), data: message.context } }
      : { context: message.context.length > 0 ? message.context : undefined }),
  };
}

/** Bytes on the wire, near enough to keep batches below a limit. */
export function wireSize(message: Message): number {
  let size = 64 + (message.context?.length ?? 0);
  for (const entry of message.entries) size += 16 + (entry.data?.length ?? 0);
  return size;
}

function entryToWire(entry: Entry): RaftEntry {
  return { term: entry.term, index: entry.index, type: entry.type, data: bytes(entry.data) };
}

function metadataFromWire(metadata: NonNullable<RaftMessage['snapshot']>): SnapshotMetadata {
  const confState: ConfState = metadata.confState ?? NO_CONF_STATE;
  return { confState, index: metadata.index, term: metadata.term };
}

function bytes(data: Uint8Array | undefined): Buffer {
  return (data as Buffer | undefined) ?? NO_BYTES;
}
