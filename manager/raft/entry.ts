/** Sizes of entries, as the limits of `Config` count them. */

import { type Entry, EntryType } from './types.ts';

/** What an entry costs beside its payload: term, index, type and length on the wire. */
export const ENTRY_OVERHEAD = 16;

/** As a limit of bytes: none. */
export const NO_LIMIT = Number.MAX_SAFE_INTEGER;

const NO_BYTES = new Uint8Array(0);

export function payload(entry: Entry): Uint8Array {
  return entry.data ?? NO_BYTES;
}

/** Bytes of the payload alone. */
export function payloadSize(entry: Entry): number {
  return entry.data === undefined ? 0 : entry.data.length;
}

export function payloadsSize(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += payloadSize(entry);
  return size;
}

/** Bytes that an entry counts for, in limits of messages and of what is applied at once. */
export function entrySize(entry: Entry): number {
  return ENTRY_OVERHEAD + payloadSize(entry);
}

/** The sum of `entrySize`. */
export function entriesSize(entries: readonly Entry[]): number {
  return payloadsSize(entries) + entries.length * ENTRY_OVERHEAD;
}

/**
 * How many entries of `entries[from, to)` fit in `maxSize` bytes: always at least one (of those there),
 * because an entry above the limit must still make progress.
 */
export function countWithin(
  entries: readonly Entry[],
  from: number,
  to: number,
  maxSize: number,
): number {
  if (maxSize >= NO_LIMIT) return to - from;
  let size = 0;
  for (let i = from; i < to; i++) {
    size += entrySize(entries[i]!);
    if (size > maxSize) return Math.max(1, i - from);
  }
  return to - from;
}

/** Must it be given to `applyConfChange` when it is applied? */
export function isConfChange(entry: Entry): boolean {
  return entry.type !== EntryType.Normal;
}
