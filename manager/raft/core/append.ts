/** The leader's own log: appending to it, and the limit of what may be uncommitted in it. */

import { payloadSize } from '../entry.ts';
import { type Entry, type EntryType, MessageType } from '../types.ts';
import type { Raft } from './raft.ts';

/** An entry that has no place in the log yet. */
export interface NewEntry {
  readonly type: EntryType;
  readonly data?: Uint8Array;
}

/**
 * Appends entries in the present term. False, and nothing is appended, when they would exceed the limit
 * of the uncommitted tail.
 */
export function appendEntries(r: Raft, entries: readonly NewEntry[]): boolean {
  const first = r.log.lastIndex() + 1;
  const placed: Entry[] = entries.map(({ type, data }, i) => ({
    term: r.term,
    index: first + i,
    type,
    data,
  }));
  if (!growUncommitted(r, placed)) {
    r.logger.warn(
      `${r.name} appending new entries to log would exceed uncommitted entry size limit; dropping proposal`,
    );
    return false;
  }
  const last = r.log.append(placed);
  // The leader acknowledges its own entries like any follower: once they are durable here.
  r.send({ type: MessageType.AppResp, to: r.id, index: last });
  return true;
}

/**
 * On an empty tail anything is accepted, or a proposal above the limit could never be made; and entries
 * without payload always are, for they are what a new leader and the end of a transition need.
 */
function growUncommitted(r: Raft, entries: readonly Entry[]): boolean {
  let size = 0;
  for (const entry of entries) size += payloadSize(entry);
  const limit = r.settings.maxUncommittedEntriesSize;
  if (r.uncommittedSize > 0 && size > 0 && r.uncommittedSize + size > limit) return false;
  r.uncommittedSize += size;
  return true;
}

/** Entries of `size` payload bytes were applied; some of them may never have been counted. */
export function shrinkUncommitted(r: Raft, size: number): void {
  r.uncommittedSize = Math.max(0, r.uncommittedSize - size);
}
