/**
 * One node with a driver around it: a durable log, a state machine (the texts applied so far), and the
 * storage threads of asynchronous mode. What is in `storage` survives a crash, the rest does not.
 */

import {
  assertInvariants,
  type Config,
  type ConfState,
  decodeConfChange,
  type Entry,
  EntryType,
  isEmptySnapshot,
  isStorageThread,
  MemoryStorage,
  type Message,
  MessageType,
  RawNode,
  type ReadState,
  type Ready,
  type Snapshot,
} from '../../../manager/raft/index.ts';

export type MemberConfig = Partial<Config> & Pick<Config, 'random'>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const bytes = (text: string): Uint8Array => encoder.encode(text);
export const text = (data: Uint8Array | undefined): string => decoder.decode(data);

/**
 * A log that can give a snapshot of the present state at any time, as the leader of a new node must: an
 * old one would not have the node in its configuration.
 */
export class MemberStorage extends MemoryStorage {
  makeSnapshot: () => void = () => {};

  override snapshot(): Snapshot {
    this.makeSnapshot();
    return super.snapshot();
  }

  get durableSnapshot(): Snapshot {
    return super.snapshot();
  }
}

export class Member {
  readonly id: number;
  readonly storage: MemberStorage;
  readonly config: MemberConfig;
  node: RawNode;
  /** What the machine has applied, without empty entries and configuration changes. */
  applied: string[] = [];
  appliedIndex: number;
  reads: ReadState[] = [];
  confState: ConfState;
  readys: Ready[] = [];
  /** Whether the invariants are checked after every Ready. */
  checks = true;
  appendWork: Message[] = [];
  applyWork: Message[] = [];

  constructor(id: number, config: MemberConfig, storage: MemberStorage) {
    this.id = id;
    this.config = config;
    this.storage = storage;
    const { metadata } = storage.durableSnapshot;
    this.appliedIndex = metadata.index;
    this.confState = metadata.confState;
    storage.makeSnapshot = () => this.snapshot();
    this.node = this.#start();
  }

  #start(): RawNode {
    return new RawNode({
      electionTick: 10,
      heartbeatTick: 1,
      maxSizePerMsg: Number.MAX_SAFE_INTEGER,
      maxInflightMsgs: 256,
      applied: this.appliedIndex,
      ...this.config,
      id: this.id,
      storage: this.storage,
    });
  }

  /** Comes up again with what was durable. */
  restart(): void {
    const { metadata, data } = this.storage.durableSnapshot;
    this.#restore(metadata.index, metadata.confState, data);
    this.reads = [];
    this.appendWork = [];
    this.applyWork = [];
    this.node = this.#start();
  }

  get isLeader(): boolean {
    return this.node.raft.isLeader;
  }

  get term(): number {
    return this.node.raft.term;
  }

  /** Does what a Ready asks for; returns what is to be sent. */
  process(): Message[] {
    const ready = this.node.ready();
    this.readys.push(ready);
    this.reads.push(...ready.readStates);
    const isAsync = this.config.asyncStorageWrites === true;
    if (!isAsync) {
      this.persist(ready.hardState, ready.entries, ready.snapshot);
      this.apply(ready.committedEntries);
      this.node.advance();
    }
    if (this.checks) assertInvariants(this.node);
    const outgoing: Message[] = [];
    for (const m of ready.messages) {
      if (!isStorageThread(m.to)) outgoing.push(m);
      else if (m.type === MessageType.StorageAppend) this.appendWork.push(m);
      else this.applyWork.push(m);
    }
    return outgoing;
  }

  /** The next order to the append thread; returns what it lets go. */
  runAppendThread(): readonly Message[] {
    const m = this.appendWork.shift()!;
    const hasHardState = m.term !== 0 || m.vote !== 0 || m.commit !== 0;
    this.persist(hasHardState ? m : undefined, m.entries, m.snapshot);
    return m.responses ?? [];
  }

  runApplyThread(): readonly Message[] {
    const m = this.applyWork.shift()!;
    this.apply(m.entries);
    return m.responses ?? [];
  }

  persist(
    hardState: Ready['hardState'],
    entries: readonly Entry[],
    snapshot: Ready['snapshot'],
  ): void {
    if (hardState !== undefined) {
      const { term, vote, commit } = hardState;
      this.storage.setHardState({ term, vote, commit });
    }
    if (snapshot !== undefined && !isEmptySnapshot(snapshot)) {
      this.storage.applySnapshot(snapshot);
      this.#restore(snapshot.metadata.index, snapshot.metadata.confState, snapshot.data);
    }
    this.storage.append(entries);
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      // A snapshot may have overtaken entries that were on their way to the apply thread.
      if (this.config.asyncStorageWrites && entry.index <= this.appliedIndex) continue;
      if (entry.index !== this.appliedIndex + 1) {
        throw new Error(`node ${this.id} applies ${entry.index} after ${this.appliedIndex}`);
      }
      this.appliedIndex = entry.index;
      if (entry.type !== EntryType.Normal) {
        this.confState = this.node.applyConfChange(decodeConfChange(entry), entry.index);
      } else if (entry.data !== undefined && entry.data.length > 0) {
        this.applied.push(text(entry.data));
      }
    }
  }

  /** A snapshot of everything applied. */
  snapshot(): void {
    const index = this.appliedIndex;
    if (index <= this.storage.durableSnapshot.metadata.index) return;
    this.storage.createSnapshot(index, this.confState, bytes(JSON.stringify(this.applied)));
  }

  /** A snapshot, after which the log starts `keep` entries before it. */
  compact(keep = 0): void {
    this.snapshot();
    const upTo = this.appliedIndex - keep;
    if (upTo >= this.storage.firstIndex()) this.storage.compact(upTo);
  }

  #restore(index: number, confState: ConfState, data: Uint8Array | undefined): void {
    this.appliedIndex = index;
    this.confState = confState;
    this.applied = data === undefined ? [] : JSON.parse(text(data));
  }

  /** The durable and the unstable log together. */
  log(): Entry[] {
    const { log } = this.node.raft;
    return [...log.slice(log.firstIndex(), log.lastIndex() + 1, Number.MAX_SAFE_INTEGER)];
  }
}
