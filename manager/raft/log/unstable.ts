/**
 * The tail of the log that is not yet known to be durable, and perhaps a snapshot that came in and is
 * to become the new start of the log.
 *
 *   offset            index of entries[0]
 *   offsetInProgress  entries below it are being written (handed out, not yet confirmed)
 *
 * Invariant: offset <= offsetInProgress <= offset + entries.length. Entries may overlap the durable
 * log, whose part at and after `offset` is then void: a new leader overwrites what never committed.
 */

import type { Entry, Logger, Snapshot } from '../types.ts';

export class Unstable {
  entries: Entry[] = [];
  offset: number;
  offsetInProgress: number;
  snapshot: Snapshot | undefined;
  snapshotInProgress = false;
  readonly #logger: Logger;

  constructor(offset: number, logger: Logger) {
    this.offset = offset;
    this.offsetInProgress = offset;
    this.#logger = logger;
  }

  /** The first index that the snapshot, if there is one, leaves in the log. */
  maybeFirstIndex(): number | undefined {
    return this.snapshot === undefined ? undefined : this.snapshot.metadata.index + 1;
  }

  maybeLastIndex(): number | undefined {
    if (this.entries.length > 0) return this.offset + this.entries.length - 1;
    return this.snapshot?.metadata.index;
  }

  maybeTerm(index: number): number | undefined {
    if (index < this.offset) {
      const metadata = this.snapshot?.metadata;
      return metadata?.index === index ? metadata.term : undefined;
    }
    return this.entries[index - this.offset]?.term;
  }

  /** Entries in [lo, hi), all of which must be here. */
  slice(lo: number, hi: number): Entry[] {
    if (lo < this.offset || hi > this.offset + this.entries.length || lo > hi) {
      throw new Error(`bug: [${lo}, ${hi}) is outside of the unstable ${this.describe()}`);
    }
    return this.entries.slice(lo - this.offset, hi - this.offset);
  }

  /** The entries whose writing has not begun. */
  nextEntries(): readonly Entry[] {
    return this.entries.slice(this.offsetInProgress - this.offset);
  }

  get hasNextEntries(): boolean {
    return this.offsetInProgress - this.offset < this.entries.length;
  }

  /** The snapshot, if its writing has not begun. */
  nextSnapshot(): Snapshot | undefined {
    return this.snapshotInProgress ? undefined : this.snapshot;
  }

  /** What `nextEntries` and `nextSnapshot` gave is now being written. */
  acceptInProgress(): void {
    this.offsetInProgress = this.offset + this.entries.length;
    if (this.snapshot !== undefined) this.snapshotInProgress = true;
  }

  /** Entries up to `index` are durable, provided that the one there still has this term. */
  stableTo(term: number, index: number): void {
    const found = this.maybeTerm(index);
    if (found === undefined) {
      this.#logger.info(`entry at index ${index} missing from unstable log; ignoring`);
      return;
    }
    if (index < this.offset) {
      this.#logger.info(`entry at index ${index} matched unstable snapshot; ignoring`);
      return;
    }
    if (found !== term) {
      // The entry was overwritten while it was being written: what is durable is not what is here.
      this.#logger.info(
        `entry at (index,term)=(${index},${term}) mismatched with ` +
          `entry at (${index},${found}) in unstable log; ignoring`,
      );
      return;
    }
    this.#dropUpTo(index);
  }

  #dropUpTo(index: number): void {
    const count = index + 1 - this.offset;
    if (count === this.entries.length) this.entries = [];
    else this.entries.splice(0, count);
    this.offset = index + 1;
    this.offsetInProgress = Math.max(this.offsetInProgress, this.offset);
  }

  stableSnapshotTo(index: number): void {
    if (this.snapshot?.metadata.index !== index) return;
    this.snapshot = undefined;
    this.snapshotInProgress = false;
  }

  /** The log starts anew after `snapshot`. */
  restore(snapshot: Snapshot): void {
    this.offset = snapshot.metadata.index + 1;
    this.offsetInProgress = this.offset;
    this.entries = [];
    this.snapshot = snapshot;
    this.snapshotInProgress = false;
  }

  /** Appends, after cutting off whatever is at and after the first of the entries. */
  truncateAndAppend(entries: readonly Entry[]): void {
    const from = entries[0]!.index;
    const end = this.offset + this.entries.length;
    if (from < end) this.#truncateFrom(from);
    else if (from > end) {
      throw new Error(`bug: appending at ${from} leaves a gap in the unstable ${this.describe()}`);
    }
    for (const entry of entries) this.entries.push(entry);
  }

  #truncateFrom(from: number): void {
    if (from <= this.offset) {
      this.#logger.info(`replace the unstable entries from index ${from}`);
      this.entries = [];
      this.offset = from;
      this.offsetInProgress = from;
      return;
    }
    this.#logger.info(`truncate the unstable entries before index ${from}`);
    this.entries.length = from - this.offset;
    // What was being written from here on is void and must be written again.
    this.offsetInProgress = Math.min(this.offsetInProgress, from);
  }

  describe(): string {
    const end = this.offset + this.entries.length;
    const snapshot = this.snapshot === undefined ? 'none' : this.snapshot.metadata.index;
    return `log [${this.offset}, ${end}) in progress to ${this.offsetInProgress}, snapshot ${snapshot}`;
  }
}
