/** Messages: how they are made, and the classes they fall into. */

import {
  type Entry,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type Message,
  MessageType,
  NONE,
  type Snapshot,
} from './types.ts';

/** A message with the fields that matter; `message()` fills in the others. */
export type MessageInit = Partial<Message> & Pick<Message, 'type'>;

export const NO_ENTRIES: readonly Entry[] = Object.freeze([]);

/** All messages have the same fields in the same order, which keeps the code that reads them fast. */
export function message(
  init: MessageInit,
  from: number = init.from ?? NONE,
  term: number = init.term ?? 0,
): Message {
  return {
    type: init.type,
    to: init.to ?? NONE,
    from,
    term,
    logTerm: init.logTerm ?? 0,
    index: init.index ?? 0,
    entries: init.entries ?? NO_ENTRIES,
    commit: init.commit ?? 0,
    vote: init.vote ?? NONE,
    snapshot: init.snapshot,
    reject: init.reject ?? false,
    rejectHint: init.rejectHint ?? 0,
    context: init.context,
    responses: init.responses,
  };
}

const LOCAL: readonly boolean[] = flags([
  MessageType.Hup,
  MessageType.Beat,
  MessageType.Unreachable,
  MessageType.SnapStatus,
  MessageType.CheckQuorum,
  MessageType.StorageAppend,
  MessageType.StorageAppendResp,
  MessageType.StorageApply,
  MessageType.StorageApplyResp,
]);

const RESPONSE: readonly boolean[] = flags([
  MessageType.AppResp,
  MessageType.VoteResp,
  MessageType.HeartbeatResp,
  MessageType.Unreachable,
  MessageType.ReadIndexResp,
  MessageType.PreVoteResp,
  MessageType.StorageAppendResp,
  MessageType.StorageApplyResp,
]);

function flags(types: readonly MessageType[]): boolean[] {
  return Object.values(MessageType).map((type) => types.includes(type));
}

/** Made and consumed inside one node; refused from the network. */
export function isLocalMessage(type: MessageType): boolean {
  return LOCAL[type] ?? true;
}

/** Requests that any node may pass on for another, in whose name they are then. */
const PASSED_ON: readonly boolean[] = flags([
  MessageType.Prop,
  MessageType.ReadIndex,
  MessageType.TransferLeader,
  MessageType.ForgetLeader,
]);

/** What a node says of itself to others: nobody else can say it. */
export function isPeerMessage(type: MessageType): boolean {
  return !isLocalMessage(type) && !PASSED_ON[type];
}

/** Answers something; its sender must be in the configuration. */
export function isResponse(type: MessageType): boolean {
  return RESPONSE[type] ?? false;
}

/**
 * A promise about durable state: an acknowledgement or a vote. It must not leave the node before
 * everything the core has handed out until then is on disk, also when storage writes are asynchronous
 * (Raft thesis 3.8). Rejections too: they may rest on entries or a vote that are not yet durable.
 */
export function requiresDurability(type: MessageType): boolean {
  return (
    type === MessageType.AppResp ||
    type === MessageType.VoteResp ||
    type === MessageType.PreVoteResp
  );
}

/** The append and apply threads of asynchronous storage writes. */
export function isStorageThread(id: number): boolean {
  return id === LOCAL_APPEND_THREAD || id === LOCAL_APPLY_THREAD;
}

export function voteResponseType(type: MessageType): MessageType {
  return type === MessageType.PreVote ? MessageType.PreVoteResp : MessageType.VoteResp;
}

/** None, or the placeholder of a log that has none. */
export function isEmptySnapshot(snapshot: Snapshot | undefined): boolean {
  return snapshot === undefined || snapshot.metadata.index === 0;
}
