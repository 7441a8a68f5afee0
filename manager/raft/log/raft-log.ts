/**
 * The log: what storage has, overlaid with the unstable tail, and how far it is committed and applied.
 *
 * Invariant: applied <= applying <= committed <= lastIndex, and none of them ever goes back.
 */

import { countWithin, entriesSize, NO_LIMIT } from '../entry.ts';
import { ErrCompacted, ErrUnavailable, RaftFault } from '../errors.ts';
import type { Entry, Logger, Snapshot, Storage } from '../types.ts';
import { Unstable } from './unstable.ts';

export interface EntryId {
  readonly term: number;
  readonly index: number;
}

export class RaftLog {
  readonly storage: Storage;
  readonly unstable: Unstable;
  committed: number;
  /** Handed out to be applied. */
  applying: number;
  applied: number;
  /** Bytes that may be handed out and not yet applied; passed by at most one entry. */
  readonly maxApplyingSize: number;
  #applyingSize = 0;
  /** The bytes are used up, or the last batch was cut short by them. */
  #applyingPaused = false;
  readonly #logger: Logger;

  constructor(storage: Storage, logger: Logger, maxApplyingSize: number = NO_LIMIT) {
    this.storage = storage;
    this.#logger = logger;
    // At 0 nothing could ever be applied; one byte means one entry at a time.
    this.maxApplyingSize = Math.max(1, maxApplyingSize);
    this.unstable = new Unstable(storage.lastIndex() + 1, logger);
    this.committed = storage.firstIndex() - 1;
    this.applying = this.committed;
    this.applied = this.committed;
  }

  firstIndex(): number {
    return this.unstable.maybeFirstIndex() ?? this.storage.firstIndex();
  }

  lastIndex(): number {
    return this.unstable.maybeLastIndex() ?? this.storage.lastIndex();
  }

  /** The term of entry `index`, or undefined if it is compacted away or not there. */
  maybeTerm(index: number): number | undefined {
    const unstable = this.unstable.maybeTerm(index);
    if (unstable !== undefined) return unstable;
    // The term of the entry before the first is known: it is what the first append is checked with.
    if (index + 1 < this.firstIndex() || index > this.lastIndex()) return undefined;
    return this.#storedTerm(index);
  }

  /** Of an entry between the first and the last that storage says it has: without it the node halts. */
  #storedTerm(index: number): number {
    try {
      return this.storage.term(index);
    } catch (error) {
      if (!(error instanceof ErrCompacted || error instanceof ErrUnavailable)) throw error;
      throw new RaftFault(
        `storage has entries from ${this.storage.firstIndex()} to ${this.storage.lastIndex()}, ` +
          `but not the term of ${index}: ${error.message}`,
      );
    }
  }

  termOrZero(index: number): number {
    return this.maybeTerm(index) ?? 0;
  }

  lastId(): EntryId {
    const index = this.lastIndex();
    const term = this.maybeTerm(index);
    if (term === undefined) throw new RaftFault(`the term of the last entry ${index} is lost`);
    return { term, index };
  }

  matchTerm(term: number, index: number): boolean {
    return this.maybeTerm(index) === term;
  }

  /** Is a log that ends in `last` at least as up to date as this one (Raft 5.4.1)? */
  isUpToDate(last: EntryId): boolean {
    const own = this.lastId();
    return last.term > own.term || (last.term === own.term && last.index >= own.index);
  }

  /**
   * A follower's append: `entries` follow (prevTerm, prevIndex) in the leader's log. Returns the index
   * up to which the logs agree now, or undefined if they do not agree at prevIndex.
   */
  maybeAppend(
    prevTerm: number,
    prevIndex: number,
    entries: readonly Entry[],
    leaderCommit: number,
  ): number | undefined {
    if (!this.matchTerm(prevTerm, prevIndex)) return undefined;
    const lastNew = prevIndex + entries.length;
    const conflict = this.#findConflict(entries);
    if (conflict !== undefined) {
      if (conflict <= this.committed) {
        throw new RaftFault(
          `entry ${conflict} conflict with committed entry [committed(${this.committed})]`,
        );
      }
      this.append(conflict === prevIndex + 1 ? entries : entries.slice(conflict - prevIndex - 1));
    }
    this.commitTo(Math.min(leaderCommit, lastNew));
    return lastNew;
  }

  /** The first of the entries that the log does not have, or has with another term. */
  #findConflict(entries: readonly Entry[]): number | undefined {
    const last = this.lastIndex();
    for (const { term, index } of entries) {
      if (index > last) return index;
      if (this.matchTerm(term, index)) continue;
      this.#logger.info(
        `found conflict at index ${index} ` +
          `[existing term: ${this.termOrZero(index)}, conflicting term: ${term}]`,
      );
      return index;
    }
    return undefined;
  }

  /**
   * The highest index <= `index` whose term is <= `term`: where two logs may agree at best, if the
   * other has `term` at `index`. One step thus skips all entries of all terms above. The term is
   * undefined where the log does not reach.
   */
  findConflictByTerm(index: number, term: number): { index: number; term: number | undefined } {
    for (let i = index; i > 0; i--) {
      const own = this.maybeTerm(i);
      if (own === undefined || own <= term) return { index: i, term: own };
    }
    return { index: 0, term: 0 };
  }

  /** Returns the new last index. */
  append(entries: readonly Entry[]): number {
    if (entries.length > 0) {
      const after = entries[0]!.index - 1;
      if (after < this.committed) {
        throw new RaftFault(`after(${after}) is out of range [committed(${this.committed})]`);
      }
      this.unstable.truncateAndAppend(entries);
    }
    return this.lastIndex();
  }

  /**
   * A leader may commit by counting acknowledgements only entries of its own term (Raft 5.4.2). Returns
   * whether the commit index moved.
   */
  maybeCommit(term: number, index: number): boolean {
    if (index <= this.committed || !this.matchTerm(term, index)) return false;
    this.commitTo(index);
    return true;
  }

  commitTo(index: number): void {
    if (index <= this.committed) return;
    const last = this.lastIndex();
    if (index > last) {
      throw new RaftFault(
        `tocommit(${index}) is out of range [lastIndex(${last})]. ` +
          'Was the raft log corrupted, truncated, or lost?',
      );
    }
    this.committed = index;
  }

  /** Entries were applied up to `index`; `size` is what they took of the limit. */
  appliedTo(index: number, size: number): void {
    if (index > this.committed || index < this.applied) {
      throw new RaftFault(
        `applied(${index}) is out of range [prevApplied(${this.applied}), committed(${this.committed})]`,
      );
    }
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.#applyingSize = Math.max(0, this.#applyingSize - size);
    this.#applyingPaused = this.#applyingSize >= this.maxApplyingSize;
  }

  /**
   * Entries up to `index`, `size` bytes in all, were handed out to be applied. If that is not all there
   * is, they were cut short by the limit, and the rest waits until something has been applied: the size
   * of the first entry left out is not known, so the limit may be used up for it.
   */
  acceptApplying(index: number, size: number, allowUnstable: boolean): void {
    if (index > this.committed) {
      throw new Error(`bug: applying ${index}, but only ${this.committed} is committed`);
    }
    this.applying = index;
    this.#applyingSize += size;
    this.#applyingPaused =
      this.#applyingSize >= this.maxApplyingSize || index < this.#maxAppliable(allowUnstable);
  }

  /** With asynchronous writes entries are applied only once they are durable here. */
  #maxAppliable(allowUnstable: boolean): number {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    // A snapshot has to be applied first: the entries follow it.
    if (this.#applyingPaused || this.unstable.snapshot !== undefined) return false;
    return this.applying < this.#maxAppliable(allowUnstable);
  }

  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return [];
    const room = this.maxApplyingSize - this.#applyingSize;
    return this.slice(this.applying + 1, this.#maxAppliable(allowUnstable) + 1, room);
  }

  stableSnapshotTo(index: number): void {
    this.unstable.stableSnapshotTo(index);
  }

  restore(snapshot: Snapshot): void {
    const { index, term } = snapshot.metadata;
    this.#logger.info(
      `log [${this.describe()}] starts to restore snapshot [index: ${index}, term: ${term}]`,
    );
    this.committed = index;
    this.unstable.restore(snapshot);
  }

  /** Entries from `from` on, at most `maxSize` bytes but at least one. Throws ErrCompacted. */
  entries(from: number, maxSize: number): readonly Entry[] {
    const last = this.lastIndex();
    return from > last ? [] : this.slice(from, last + 1, maxSize);
  }

  /** Entries in [lo, hi), at most `maxSize` bytes but at least one. Throws ErrCompacted. */
  slice(lo: number, hi: number, maxSize: number): readonly Entry[] {
    if (lo < this.firstIndex()) throw new ErrCompacted();
    if (lo > hi || hi > this.lastIndex() + 1) {
      throw new Error(`bug: [${lo}, ${hi}) is outside of the log ${this.describe()}`);
    }
    if (lo === hi) return [];
    const { offset } = this.unstable;
    if (lo >= offset) return this.#unstableSlice(lo, hi, maxSize);

    const end = Math.min(hi, offset);
    const stored = this.storage.entries(lo, end, maxSize);
    if (hi <= offset || stored.length < end - lo) return stored;
    const room = maxSize - entriesSize(stored);
    if (maxSize < NO_LIMIT && room <= 0) return stored;
    const tail = this.#unstableSlice(offset, hi, maxSize >= NO_LIMIT ? NO_LIMIT : room);
    // The first of the tail comes whatever its size; here it has to fit.
    if (maxSize < NO_LIMIT && entriesSize(tail) > room) return stored;
    return stored.concat(tail);
  }

  #unstableSlice(lo: number, hi: number, maxSize: number): Entry[] {
    const { entries, offset } = this.unstable;
    const count = countWithin(entries, lo - offset, hi - offset, maxSize);
    return this.unstable.slice(lo, lo + count);
  }

  /** Visits [lo, hi) in pages of `pageSize` bytes until `visit` returns true; says whether it did. */
  scan(
    lo: number,
    hi: number,
    pageSize: number,
    visit: (page: readonly Entry[]) => boolean,
  ): boolean {
    for (let next = lo; next < hi; ) {
      const page = this.slice(next, hi, pageSize);
      if (page.length === 0) throw new Error(`bug: got no entries of [${next}, ${hi})`);
      if (visit(page)) return true;
      next += page.length;
    }
    return false;
  }

  describe(): string {
    const { offset, offsetInProgress, entries } = this.unstable;
    return (
      `committed=${this.committed}, applied=${this.applied}, applying=${this.applying}, ` +
      `unstable.offset=${offset}, unstable.offsetInProgress=${offsetInProgress}, ` +
      `len(unstable.Entries)=${entries.length}`
    );
  }
}
