/** A log in memory. */

import { describeHardState } from './describe/ready.ts';
import { countWithin } from './entry.ts';
import { ErrCompacted, ErrSnapOutOfDate, ErrUnavailable } from './errors.ts';
import { EMPTY_CONF_STATE } from './tracker/config.ts';
import {
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  type Snapshot,
  type Storage,
} from './types.ts';

/** Of a node that has never heard of anything. */
export const EMPTY_HARD_STATE: HardState = Object.freeze({ term: 0, vote: 0, commit: 0 });

/**
 * The durable log in tests, and the tail of the log in front of a disk.
 *
 * `#entries[0]` stands for the last entry that is gone: only its index and term are known.
 * Invariant: the entries are contiguous.
 */
export class MemoryStorage implements Storage {
  #hardState: HardState = EMPTY_HARD_STATE;
  #snapshot: Snapshot = { metadata: { confState: EMPTY_CONF_STATE, index: 0, term: 0 } };
  #entries: Entry[] = [placeholder(0, 0)];

  initialState(): { hardState: HardState; confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#snapshot.metadata.confState };
  }

  entries(lo: number, hi: number, maxSize: number): readonly Entry[] {
    const offset = this.#offset;
    if (lo <= offset) throw new ErrCompacted();
    if (hi > this.lastIndex() + 1) throw new ErrUnavailable();
    const from = lo - offset;
    const count = countWithin(this.#entries, from, hi - offset, maxSize);
    return this.#entries.slice(from, from + count);
  }

  term(index: number): number {
    if (index < this.#offset) throw new ErrCompacted();
    const entry = this.#entries[index - this.#offset];
    if (entry === undefined) throw new ErrUnavailable();
    return entry.term;
  }

  lastIndex(): number {
    return this.#offset + this.#entries.length - 1;
  }

  firstIndex(): number {
    return this.#offset + 1;
  }

  snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Replaces it. */
  setHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  /** Entries at and after the first of them are replaced; those behind a snapshot are skipped. */
  append(entries: readonly Entry[]): void {
    const first = this.firstIndex();
    const last = entries.at(-1);
    if (last === undefined || last.index < first) return;
    const from = Math.max(entries[0]!.index, first);
    if (from > this.lastIndex() + 1) {
      throw new Error(
        `the log ends at ${this.lastIndex()}: an entry at ${from} would leave a gap in it`,
      );
    }
    this.#entries.length = from - this.#offset;
    for (let i = from - entries[0]!.index; i < entries.length; i++) {
      this.#entries.push(entries[i]!);
    }
  }

  /** A snapshot from the leader: it replaces the whole log. Throws ErrSnapOutOfDate. */
  applySnapshot(snapshot: Snapshot): void {
    if (this.#snapshot.metadata.index >= snapshot.metadata.index) throw new ErrSnapOutOfDate();
    this.#snapshot = snapshot;
    this.#entries = [placeholder(snapshot.metadata.term, snapshot.metadata.index)];
  }

  /**
   * A snapshot of our own at an applied `index`; the log stays until `compact`. Without `confState`,
   * that of the previous snapshot is kept. Throws ErrSnapOutOfDate.
   */
  createSnapshot(index: number, confState?: ConfState, data?: Uint8Array): Snapshot {
    if (index <= this.#snapshot.metadata.index) throw new ErrSnapOutOfDate();
    if (index > this.lastIndex()) {
      throw new Error(`a snapshot at ${index} is past the end of the log at ${this.lastIndex()}`);
    }
    this.#snapshot = {
      metadata: {
        confState: confState ?? this.#snapshot.metadata.confState,
        index,
        term: this.term(index),
      },
      data,
    };
    return this.#snapshot;
  }

  /** Drops the entries up to and including `index`. Throws ErrCompacted if they are gone already. */
  compact(index: number): void {
    if (index <= this.#offset) throw new ErrCompacted();
    if (index > this.lastIndex()) {
      throw new Error(`compacting to ${index} is past the end of the log at ${this.lastIndex()}`);
    }
    const term = this.term(index);
    this.#entries.splice(0, index - this.#offset);
    this.#entries[0] = placeholder(term, index);
  }

  /** `log [5, 9) behind a snapshot at 4, Term:3 Vote:1 Commit:7` */
  describe(): string {
    const { index } = this.#snapshot.metadata;
    const span = `[${this.firstIndex()}, ${this.lastIndex() + 1})`;
    return `log ${span} behind a snapshot at ${index}, ${describeHardState(this.#hardState)}`;
  }

  get #offset(): number {
    return this.#entries[0]!.index;
  }
}

function placeholder(term: number, index: number): Entry {
  return { term, index, type: EntryType.Normal };
}
