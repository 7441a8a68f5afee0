import {
  assertInvariants,
  type ConfChangeV2,
  type Config,
  type ConfState,
  decodeConfChange,
  type Entry,
  EntryType,
  ErrProposalDropped,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type Message,
  RaftError,
  RawNode,
  type ReadState,
  type Ready,
  type SoftState,
  StateType,
  type Status,
} from 'raft-ts';
import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import { AppendThread, type AppendThreadEvents } from './append-thread.ts';
import { ApplyThread } from './apply-thread.ts';
import type { LogDisk } from './log-disk.ts';
import type { LogTail } from './log-tail.ts';

export interface RaftLoopComponents {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly disk: LogDisk;
  readonly tail: LogTail;
}

export interface RaftLoopEvents extends Omit<AppendThreadEvents, 'durable' | 'failed'> {
  /** To a peer. */
  send(message: Message): void;
  /** What was sent in this turn may leave. */
  flush(): void;
  /** The core's role or leader changed, or it was elected again in a new term. */
  role(state: SoftState, term: number, lastIndex: number): void;
  apply(index: number, data: Uint8Array): void;
  /** A change of the membership was applied. */
  changed(entry: Entry): void;
  /** Everything up to `index` is applied. Called at least once per turn in which anything was. */
  applied(index: number): void;
  readState(state: ReadState): void;
  /** The core does not take proposals any more. */
  dropped(): void;
  /** Nothing will be durable any more. */
  diskFailed(error: unknown): void;
  /** The core or the state machine failed. */
  failed(error: unknown): void;
  /** Called at the beginning of each turn. */
  turn(): void;
}

/** The longest stretch of applying before the event loop gets its turn, milliseconds. */
const APPLY_SLICE_MS = 5;

/**
 * Drives the core: all that happened in one turn of the event loop is handled together at its end.
 * Storage writes are asynchronous (Raft thesis 10.2.1): messages leave while the log is being written,
 * and the core learns what is durable, and what is applied, when it is.
 */
export class RaftLoop {
  readonly #node: RawNode;
  readonly #id: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #events: RaftLoopEvents;
  readonly #append: AppendThread;
  readonly #apply: ApplyThread;
  /** Proposals of this turn. Nothing else may be appended before them. */
  #proposed: Uint8Array[] = [];
  #scheduled = false;
  #halted = false;
  #soft: SoftState = { lead: 0, raftState: StateType.Follower };
  #term: number;
  #appliedIndex: number;
  #appliedTerm: number;
  #confState: ConfState;

  constructor(
    components: RaftLoopComponents,
    config: Omit<Config, 'storage' | 'applied' | 'asyncStorageWrites'>,
    events: RaftLoopEvents,
  ) {
    const { tail, clock } = components;
    this.#clock = clock;
    this.#logger = components.logger;
    this.#events = events;
    this.#id = config.id;
    this.#appliedIndex = tail.manifest?.index ?? 0;
    this.#appliedTerm = tail.manifest?.term ?? 0;
    const { hardState, confState } = tail.initialState();
    this.#confState = confState;
    this.#term = hardState.term;
    this.#node = new RawNode({
      ...config,
      storage: tail,
      applied: this.#appliedIndex,
      asyncStorageWrites: true,
    });
    this.#append = new AppendThread(components, {
      manifestOf: (message) => events.manifestOf(message),
      restore: (manifest) => this.#restore(manifest),
      failed: (error) => events.diskFailed(error),
      durable: (messages) => this.#onDurable(messages),
    });
    this.#apply = new ApplyThread(
      {
        apply: (entry) => this.#applyEntry(entry),
        done: (message) => this.#respond(message),
      },
      () => clock.monotonic(),
    );
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  get appliedTerm(): number {
    return this.#appliedTerm;
  }

  get confState(): ConfState {
    return this.#confState;
  }

  /** 0 when there is none, or it is not known because nothing happens any more. */
  get lead(): number {
    return this.#halted ? 0 : this.#soft.lead;
  }

  get isRaftLeader(): boolean {
    return !this.#halted && this.#soft.raftState === StateType.Leader;
  }

  get lastIndex(): number {
    return this.#node.lastIndex();
  }

  status(): Status {
    return this.#node.status();
  }

  /** Throws an Error that names what does not hold. Walks over everything. */
  assertInvariants(): void {
    assertInvariants(this.#node);
  }

  tick(): void {
    if (this.#halted) return;
    this.#node.tick();
    this.#append.flushCommit();
    this.schedule();
  }

  /**
   * The index the entry gets. The core sees all proposals of a turn as one, so that they travel in one
   * message; if it does not lead any more by then, that shows as the loss of leadership.
   */
  propose(data: Uint8Array): number {
    this.#proposed.push(data);
    this.schedule();
    return this.#node.lastIndex() + this.#proposed.length;
  }

  /** Throws ErrProposalDropped. */
  proposeConfChange(change: ConfChangeV2): number {
    this.#flushProposals();
    this.#node.proposeConfChange(change);
    this.schedule();
    return this.#node.lastIndex();
  }

  /** From a peer. */
  step(message: Message): void {
    if (this.#halted) return;
    this.#step(message);
    this.schedule();
  }

  readIndex(ctx: Uint8Array): void {
    try {
      this.#node.readIndex(ctx);
    } catch (error) {
      if (!(error instanceof ErrProposalDropped)) throw error;
    }
  }

  campaign(): void {
    this.#node.campaign();
    this.schedule();
  }

  forgetLeader(): void {
    this.#node.forgetLeader();
    this.schedule();
  }

  transferLeader(to: number): void {
    this.#flushProposals();
    this.#node.transferLeader(to);
    this.schedule();
  }

  reportUnreachable(id: number): void {
    if (this.#halted) return;
    this.#node.reportUnreachable(id);
    this.schedule();
  }

  reportSnapshot(id: number, ok: boolean): void {
    if (this.#halted) return;
    this.#node.reportSnapshot(id, ok);
    this.schedule();
  }

  /** Runs `job` while nothing else writes to the disk. */
  exclusive<T>(job: () => Promise<T>): Promise<T> {
    return this.#append.exclusive(job);
  }

  /** Has a turn at the end of this one of the event loop. */
  schedule(): void {
    if (this.#scheduled || this.#halted) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.turn();
    });
  }

  /** The state machine has the state that the log begins with: what follows may be applied. */
  begin(): void {
    this.#apply.begin();
    this.turn();
  }

  /** Handles everything that is there. What fails here leaves this replica in an unknown state. */
  turn(): void {
    if (this.#halted) return;
    try {
      this.#turn();
    } catch (error) {
      this.#events.failed(error);
    }
  }

  #turn(): void {
    this.#events.turn();
    this.#flushProposals();
    const deadline = this.#clock.monotonic() + APPLY_SLICE_MS;
    let idle = false;
    while (!idle) {
      while (this.#node.hasReady()) this.#handle(this.#node.ready());
      const before = this.#appliedIndex;
      const all = this.#apply.run(deadline);
      if (this.#appliedIndex > before) this.#events.applied(this.#appliedIndex);
      if (!all) this.schedule();
      idle = !all || this.#halted || !this.#node.hasReady();
    }
    this.#events.flush();
    this.#append.kick();
  }

  /** Nothing happens any more, as if the process had ended. */
  halt(): void {
    this.#halted = true;
    this.#apply.stop();
  }

  /** Waits for the write under way; none follows. */
  async stop(): Promise<void> {
    this.halt();
    await this.#append.stop();
  }

  #flushProposals(): void {
    if (this.#proposed.length === 0) return;
    const payloads = this.#proposed;
    this.#proposed = [];
    try {
      this.#node.proposeBatch(payloads);
    } catch (error) {
      if (!(error instanceof ErrProposalDropped)) throw error;
      this.#events.dropped();
    }
  }

  #handle(ready: Ready): void {
    const term = ready.hardState?.term ?? this.#term;
    if (ready.softState || term !== this.#term) {
      this.#soft = ready.softState ?? this.#soft;
      this.#term = term;
      this.#events.role(this.#soft, term, this.#node.lastIndex());
    }
    for (const state of ready.readStates) this.#events.readState(state);
    for (const message of ready.messages) {
      if (message.to === LOCAL_APPEND_THREAD) this.#append.push(message);
      else if (message.to === LOCAL_APPLY_THREAD) this.#apply.push(message);
      else this.#events.send(message);
    }
  }

  #onDurable(messages: readonly Message[]): void {
    if (this.#halted) return;
    for (const message of messages) this.#respond(message);
    this.turn();
  }

  #respond(message: Message): void {
    for (const response of message.responses ?? []) {
      if (response.to === this.#id) this.#step(response);
      else this.#events.send(response);
    }
  }

  #step(message: Message): void {
    try {
      this.#node.step(message);
    } catch (err) {
      if (!(err instanceof RaftError)) throw err;
      this.#logger.debug({ err, type: message.type, from: message.from }, 'message not taken');
    }
  }

  #applyEntry(entry: Entry): void {
    const { data, index } = entry;
    if (entry.type !== EntryType.Normal) {
      const change = decodeConfChange(entry);
      // A snapshot that the core has taken meanwhile may have brought this change already.
      this.#confState = this.#node.applyConfChange(change, index);
      this.#events.changed(entry);
    } else if (data && data.length > 0) {
      this.#events.apply(index, data);
    }
    this.#appliedIndex = index;
    this.#appliedTerm = entry.term;
  }

  /** What was committed before the snapshot is applied first: the state never goes back. */
  async #restore(manifest: Parameters<AppendThreadEvents['restore']>[0]): Promise<void> {
    await this.#apply.idle();
    await this.#events.restore(manifest);
    this.#appliedIndex = manifest.index;
    this.#appliedTerm = manifest.term;
    this.#confState = manifest.confState;
    this.#events.applied(manifest.index);
  }
}
