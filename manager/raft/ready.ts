/** From the state of the core to a `Ready`, and the messages that report its completion. */

import type { Raft } from './core/raft.ts';
import { entriesSize } from './entry.ts';
import { isEmptySnapshot, message } from './message.ts';
import {
  type Entry,
  type HardState,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type Message,
  MessageType,
  type Ready,
  type SoftState,
} from './types.ts';

/** What the driver was told last. */
export interface Told {
  readonly softState: SoftState;
  readonly hardState: HardState;
}

export function toldOf(r: Raft): Told {
  return { softState: r.softState(), hardState: r.hardState() };
}

export function hasReady(r: Raft, told: Told): boolean {
  const { unstable } = r.log;
  return (
    r.messages.length > 0 ||
    r.messagesAfterAppend.length > 0 ||
    unstable.hasNextEntries ||
    r.log.hasNextCommitted(appliesUnstable(r)) ||
    !isHardStateTold(r, told) ||
    !isSoftStateTold(r, told) ||
    r.readStates.length > 0 ||
    unstable.nextSnapshot() !== undefined
  );
}

/**
 * In synchronous mode entries may be handed out to be applied together with being handed out to be
 * written, since the driver writes first.
 */
function appliesUnstable(r: Raft): boolean {
  return !r.settings.asyncStorageWrites;
}

function isSoftStateTold(r: Raft, { softState }: Told): boolean {
  return softState.lead === r.lead && softState.raftState === r.state;
}

function isHardStateTold(r: Raft, { hardState }: Told): boolean {
  return (
    hardState.term === r.term && hardState.vote === r.vote && hardState.commit === r.log.committed
  );
}

/** Takes everything that is to be done out of the core. */
export function takeReady(r: Raft, told: Told): Ready {
  const work = collect(r, told);
  const messages = r.settings.asyncStorageWrites
    ? [...r.messages, ...storageMessages(r, work)]
    : [...r.messages, ...r.messagesAfterAppend.filter(({ to }) => to !== r.id)];
  const ready: Ready = { ...work, messages };
  accept(r, ready);
  return ready;
}

type Work = Omit<Ready, 'messages'>;

function collect(r: Raft, told: Told): Work {
  const entries = r.log.unstable.nextEntries();
  const { hardState } = told;
  return {
    softState: isSoftStateTold(r, told) ? undefined : r.softState(),
    hardState: isHardStateTold(r, told) ? undefined : r.hardState(),
    readStates: r.readStates,
    entries,
    snapshot: r.log.unstable.nextSnapshot(),
    committedEntries: r.log.nextCommitted(appliesUnstable(r)),
    // A commit index alone is found out again after a crash, and need not reach the disk at once.
    mustSync: entries.length > 0 || hardState.term !== r.term || hardState.vote !== r.vote,
  };
}

function accept(r: Raft, { committedEntries }: Ready): void {
  r.messages = [];
  r.messagesAfterAppend = [];
  r.readStates = [];
  r.log.unstable.acceptInProgress();
  const last = committedEntries.at(-1);
  if (last === undefined) return;
  r.log.acceptApplying(last.index, entriesSize(committedEntries), appliesUnstable(r));
}

/** Synchronous mode: what the node tells itself when the driver has done what `ready` asks for. */
export function completionsOf(r: Raft, work: Work, selfMessages: readonly Message[]): Message[] {
  const completions = [...selfMessages];
  if (needsAppendResponse(r, work)) completions.push(appendResponse(r, work));
  if (work.committedEntries.length > 0) completions.push(applyResponse(r, work.committedEntries));
  return completions;
}

/** Asynchronous mode: orders to the storage threads, with the messages to deliver when done. */
function storageMessages(r: Raft, work: Work): Message[] {
  const messages: Message[] = [];
  if (
    work.entries.length > 0 ||
    work.hardState !== undefined ||
    !isEmptySnapshot(work.snapshot) ||
    r.messagesAfterAppend.length > 0
  ) {
    messages.push(storageAppend(r, work));
  }
  if (work.committedEntries.length > 0) messages.push(storageApply(r, work.committedEntries));
  return messages;
}

function storageAppend(r: Raft, work: Work): Message {
  // The acknowledgements to other nodes come first, then the report to the own node: handled in this
  // order, a leader's own acknowledgement still finds the entries in the unstable log.
  const responses = [...r.messagesAfterAppend];
  if (needsAppendResponse(r, work)) responses.push(appendResponse(r, work));
  return message({
    type: MessageType.StorageAppend,
    to: LOCAL_APPEND_THREAD,
    from: r.id,
    entries: work.entries,
    // All zero: the hard state has not changed.
    ...work.hardState,
    snapshot: work.snapshot,
    responses,
  });
}

/**
 * With every write while anything is unstable, not only with those that have entries: responses of an
 * older term are ignored, so an entry whose own response was ignored needs a later one.
 */
function needsAppendResponse(r: Raft, work: Work): boolean {
  return r.log.unstable.entries.length > 0 || !isEmptySnapshot(work.snapshot);
}

/**
 * Reports everything up to the end of the log as durable, with the term it is said in: if the node is
 * in a later term when it comes, it is ignored, because entries may have been overwritten meanwhile,
 * with those of the original term coming back later (an ABA problem: index and term would match, while
 * an overwriting write is still on its way).
 */
function appendResponse(r: Raft, work: Work): Message {
  const last = r.log.unstable.entries.length > 0 ? r.log.lastId() : { term: 0, index: 0 };
  return message({
    type: MessageType.StorageAppendResp,
    to: r.id,
    from: LOCAL_APPEND_THREAD,
    term: r.term,
    logTerm: last.term,
    index: last.index,
    snapshot: work.snapshot,
  });
}

function storageApply(r: Raft, entries: readonly Entry[]): Message {
  return message({
    type: MessageType.StorageApply,
    to: LOCAL_APPLY_THREAD,
    from: r.id,
    entries,
    responses: [applyResponse(r, entries)],
  });
}

/** Without term: applied is applied, in whatever term. */
function applyResponse(r: Raft, entries: readonly Entry[]): Message {
  return message({
    type: MessageType.StorageApplyResp,
    to: r.id,
    from: LOCAL_APPLY_THREAD,
    entries,
  });
}
