import {
  type ConfState,
  type Entry,
  ErrCompacted,
  ErrSnapshotTemporarilyUnavailable,
  ErrUnavailable,
  type HardState,
  type Snapshot,
  type Storage,
} from 'raft-ts';
import { RaftMembership } from '../../proto/gen/swarm/raft.ts';
import type { SnapshotManifest, StoredLog } from './log-records.ts';

const NO_CONF_STATE: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** What an entry costs in memory and in messages besides its data, roughly. */
const ENTRY_OVERHEAD = 16;

/**
 * The part of the durable log that the core reads, in memory: the hot path never waits for the disk.
 * It changes only after the same change is on disk.
 *
 * Invariant: `#entries` are consecutive from `#first`; `#prevTerm` is the term of `#first - 1`.
 */
export class LogTail implements Storage {
  /** As of the start: the core does not ask again. */
  readonly #hardState: HardState;
  #manifest: SnapshotManifest | undefined;
  #entries: Entry[] = [];
  #first = 1;
  #prevTerm = 0;
  #bytes = 0;
  #changedAt = 0;
  #snapshotWanted = false;

  constructor(log: StoredLog) {
    this.#hardState = log.hardState;
    this.#manifest = log.snapshot;
    this.#first = log.entries[0]?.index ?? (log.snapshot?.index ?? 0) + 1;
    this.#prevTerm = log.entries.length > 0 ? log.prevTerm : (log.snapshot?.term ?? 0);
    this.#push(log.entries);
  }

  get manifest(): SnapshotManifest | undefined {
    return this.#manifest;
  }

  /** Approximate memory of the entries. */
  get bytes(): number {
    return this.#bytes;
  }

  initialState(): { hardState: HardState; confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#manifest?.confState ?? NO_CONF_STATE };
  }

  entries(lo: number, hi: number, maxSize: number): readonly Entry[] {
    if (lo < this.#first) throw new ErrCompacted();
    if (hi > this.lastIndex() + 1 || lo >= hi) throw new ErrUnavailable();
    const from = lo - this.#first;
    let to = from + 1;
    let size = sizeOf(this.#entries[from]!);
    while (to < hi - this.#first) {
      size += sizeOf(this.#entries[to]!);
      if (size > maxSize) break;
      to++;
    }
    return this.#entries.slice(from, to);
  }

  term(index: number): number {
    if (index < this.#first - 1) throw new ErrCompacted();
    if (index === this.#first - 1) return this.#prevTerm;
    const entry = this.#entries[index - this.#first];
    if (!entry) throw new ErrUnavailable();
    return entry.term;
  }

  lastIndex(): number {
    return this.#first + this.#entries.length - 1;
  }

  firstIndex(): number {
    return this.#first;
  }

  /**
   * The data of a snapshot are its membership; the state follows in chunks, from disk. One from before
   * the last change of the members is of no use to a member that was added by it.
   */
  snapshot(): Snapshot {
    const manifest = this.#manifest;
    if (!manifest || manifest.index < this.#changedAt) {
      this.#snapshotWanted = true;
      throw new ErrSnapshotTemporarilyUnavailable();
    }
    const { confState, index, term } = manifest;
    const data = RaftMembership.encode(manifest.membership).finish();
    return { metadata: { confState, index, term }, data };
  }

  /** The entry at `index` changed the members. */
  setChangedAt(index: number): void {
    this.#changedAt = index;
  }

  /** Whether the core asked for a newer snapshot since the last call. */
  takeSnapshotWanted(): boolean {
    const wanted = this.#snapshotWanted;
    this.#snapshotWanted = false;
    return wanted;
  }

  /** Appends, after cutting off all from the first new index on. */
  append(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const keep = entries[0]!.index - this.#first;
    if (keep < 0 || keep > this.#entries.length) {
      const range = `[${this.#first}, ${this.lastIndex()}]`;
      throw new Error(`Entry ${entries[0]!.index} cannot follow the log ${range}.`);
    }
    for (const cut of this.#entries.splice(keep)) this.#bytes -= sizeOf(cut);
    this.#push(entries);
  }

  /** A newer snapshot of the state that these entries lead to. */
  setSnapshot(manifest: SnapshotManifest): void {
    this.#manifest = manifest;
  }

  /** A snapshot of a leader replaces the log. */
  reset(manifest: SnapshotManifest): void {
    this.#manifest = manifest;
    this.#entries = [];
    this.#bytes = 0;
    this.#first = manifest.index + 1;
    this.#prevTerm = manifest.term;
  }

  /** Forgets the entries up to `index`, at most those the snapshot covers. */
  compact(index: number): void {
    if (index < this.#first) return;
    this.#prevTerm = this.term(index);
    const dropped = this.#entries.splice(0, index - this.#first + 1);
    for (const entry of dropped) this.#bytes -= sizeOf(entry);
    this.#first = index + 1;
  }

  /** The lowest index such that the entries above it take at most `bytes`. */
  indexWithin(bytes: number): number {
    let left = bytes;
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      left -= sizeOf(this.#entries[i]!);
      if (left < 0) return this.#first + i;
    }
    return this.#first - 1;
  }

  #push(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += sizeOf(entry);
    }
  }
}

function sizeOf(entry: Entry): number {
  return ENTRY_OVERHEAD + (entry.data?.length ?? 0);
}
