import { type Entry, entriesSize, type HardState, type Message } from 'raft-ts';
import type { LogDisk } from './log-disk.ts';
import type { SnapshotManifest } from './log-records.ts';
import type { LogTail } from './log-tail.ts';

export interface AppendThreadComponents {
  readonly disk: LogDisk;
  readonly tail: LogTail;
}

export interface AppendThreadEvents {
  /** These are on disk, and their responses may be delivered. */
  durable(messages: readonly Message[]): void;
  /** The stored snapshot that a message of the core refers to. Called when it is pushed. */
  manifestOf(message: Message): SnapshotManifest;
  /** The state, and the tail, are to begin with it before the core hears that it is stored. */
  restore(manifest: SnapshotManifest): Promise<void>;
  /** The disk failed; nothing is written any more. */
  failed(error: unknown): void;
}

interface Append {
  readonly kind: 'append';
  readonly message: Message;
  readonly snapshot: SnapshotManifest | undefined;
}

type Work = Append | { readonly kind: 'job'; readonly run: () => Promise<void> };

/** Sealing more than this at once would delay heartbeats. */
const GROUP_BYTES_MAX = 2 * 1024 * 1024;

/**
 * The append thread of the core's asynchronous storage writes: one queue, one write at a time. All
 * that waits when a write begins goes into that one write (group commit).
 */
export class AppendThread {
  readonly #disk: LogDisk;
  readonly #tail: LogTail;
  readonly #events: AppendThreadEvents;
  #queue: Work[] = [];
  #running: Promise<void> | undefined;
  #stopped = false;
  #durable: HardState;
  #hardState: HardState;

  constructor(components: AppendThreadComponents, events: AppendThreadEvents) {
    this.#disk = components.disk;
    this.#tail = components.tail;
    this.#events = events;
    this.#durable = components.tail.initialState().hardState;
    this.#hardState = this.#durable;
  }

  push(message: Message): void {
    const snapshot = message.snapshot && this.#events.manifestOf(message);
    this.#queue.push({ kind: 'append', message, snapshot });
  }

  /** Begins to write what was pushed, unless a write is under way and will go on with it. */
  kick(): void {
    if (this.#running || this.#stopped || this.#queue.length === 0) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      this.kick();
    });
  }

  /** Runs `job` between two writes. Never settles once the thread has stopped. */
  exclusive<T>(job: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = () => job().then(resolve, reject);
      this.#queue.push({ kind: 'job', run });
      this.kick();
    });
  }

  /** Writes a commit index that was not worth a write of its own. */
  flushCommit(): void {
    if (this.#hardState.commit === this.#durable.commit || this.#queue.length > 0) return;
    if (this.#running) return;
    this.exclusive(async () => {
      const hardState = this.#hardState;
      await this.#disk.write({ hardState, sync: false });
      this.#durable = hardState;
    }).catch((error) => this.#fail(error));
  }

  /** Resolves when the write under way is over; none begins after it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    if (this.#hardState.commit === this.#durable.commit) return;
    // It spares the next start some work. A disk that does not take it is no reason not to stop.
    await this.#disk.write({ hardState: this.#hardState, sync: true }).catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0 && !this.#stopped) {
      if (this.#queue[0]!.kind === 'job') {
        await (this.#queue.shift() as Work & { kind: 'job' }).run();
        continue;
      }
      const group = this.#takeGroup();
      const messages = group.map(({ message }) => message);
      try {
        await this.#persist(messages, group[0]!.snapshot);
      } catch (error) {
        return this.#fail(error);
      }
      if (!this.#stopped) this.#events.durable(messages);
    }
  }

  #fail(error: unknown): void {
    this.#stopped = true;
    this.#hardState = this.#durable;
    this.#events.failed(error);
  }

  /**
   * Everything up to the next snapshot or job, or to what would keep the event loop busy for too long;
   * a snapshot is a group of its own.
   */
  #takeGroup(): Append[] {
    const group: Append[] = [];
    let bytes = 0;
    while (this.#queue.length > 0 && bytes < GROUP_BYTES_MAX) {
      const work = this.#queue[0]!;
      if (work.kind === 'job' || (work.snapshot && group.length > 0)) break;
      this.#queue.shift();
      group.push(work);
      bytes += entriesSize(work.message.entries);
      if (work.snapshot) break;
    }
    return group;
  }

  async #persist(group: readonly Message[], snapshot: SnapshotManifest | undefined): Promise<void> {
    const entries = joinEntries(group);
    const hardState = lastHardState(group) ?? this.#hardState;
    this.#hardState = hardState;
    const { term, vote } = this.#durable;
    const voted = hardState.term !== term || hardState.vote !== vote;
    if (!snapshot && entries.length === 0 && !voted) return;
    const prevTerm = entries.length > 0 ? this.#prevTerm(entries[0]!.index, snapshot) : 0;
    const log = entries.length > 0 ? { entries, prevTerm } : {};
    const reset = snapshot ? { snapshot, resetLog: true } : {};
    await this.#disk.write({ hardState, ...log, ...reset, sync: true });
    this.#durable = hardState;
    if (snapshot) await this.#events.restore(snapshot);
    this.#tail.append(entries);
  }

  #prevTerm(first: number, snapshot: SnapshotManifest | undefined): number {
    return snapshot?.index === first - 1 ? snapshot.term : this.#tail.term(first - 1);
  }
}

/** As if the messages were written one after the other: a later one cuts off what it overlaps. */
export function joinEntries(group: readonly Message[]): readonly Entry[] {
  if (group.length === 1) return group[0]!.entries;
  let joined: Entry[] = [];
  for (const { entries } of group) {
    if (entries.length === 0) continue;
    const start = joined[0]?.index ?? entries[0]!.index;
    const keep = entries[0]!.index - start;
    if (keep <= 0) joined = [...entries];
    else {
      joined.length = keep;
      for (const entry of entries) joined.push(entry);
    }
  }
  return joined;
}

/** An append message without a hard state has zeros in its place. */
function lastHardState(group: readonly Message[]): HardState | undefined {
  const message = group.findLast(({ term, vote, commit }) => term > 0 || vote > 0 || commit > 0);
  return message && { term: message.term, vote: message.vote, commit: message.commit };
}
