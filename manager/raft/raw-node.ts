/**
 * The state machine as its driver sees it: messages and ticks in, `Ready` out. See README.md for the
 * duties of a driver.
 */

import type { RawNodeApi } from './api.ts';
import { encodeConfChange } from './confchange/codec.ts';
import { confChangeEntryType } from './confchange/kinds.ts';
import { applyConfChange } from './core/membership.ts';
import { areWellFormed } from './core/propose.ts';
import type { Raft } from './core/raft.ts';
import { startRaft } from './core/start.ts';
import { step } from './core/step.ts';
import { tick } from './core/tick.ts';
import { describeStatus } from './describe/status.ts';
import {
  ErrProposalDropped,
  ErrStepLocalMsg,
  ErrStepMisdirected,
  ErrStepPeerNotFound,
  RaftFault,
} from './errors.ts';
import {
  isLocalMessage,
  isPeerMessage,
  isResponse,
  isStorageThread,
  message,
  requiresDurability,
} from './message.ts';
import { completionsOf, hasReady, type Told, takeReady, toldOf } from './ready.ts';
import { statusOf } from './status.ts';
import {
  type ConfChangeV1,
  type ConfChangeV2,
  type Config,
  type ConfState,
  EntryType,
  type Message,
  MessageType,
  NONE,
  type ProgressStatus,
  type Ready,
  type Status,
} from './types.ts';

/** A node: the implementation of `RawNodeApi`, which has the documentation. */
export class RawNode implements RawNodeApi {
  /** The inside, for tests and inspection. Not part of the interface. */
  readonly raft: Raft;
  #told: Told;
  /** Steps to take when the driver reports a Ready as done (synchronous mode). */
  #completions: Message[] | undefined;
  #fault: RaftFault | undefined;

  /** Throws ErrConfig, and RaftFault if the stored state contradicts itself. */
  constructor(config: Config) {
    this.raft = startRaft(config);
    this.#told = toldOf(this.raft);
  }

  tick(): void {
    if (this.#fault !== undefined) return;
    try {
      tick(this.raft);
    } catch (error) {
      this.#halt(error);
    }
  }

  campaign(): void {
    this.#dispatch(message({ type: MessageType.Hup }));
  }

  propose(data: Uint8Array): void {
    this.proposeBatch([data]);
  }

  proposeBatch(payloads: readonly Uint8Array[]): void {
    const entries = payloads.map((data) => ({ term: 0, index: 0, type: EntryType.Normal, data }));
    this.#dispatch(message({ type: MessageType.Prop, from: this.raft.id, entries }));
  }

  proposeConfChange(change: ConfChangeV1 | ConfChangeV2): void {
    const entry = {
      term: 0,
      index: 0,
      type: confChangeEntryType(change),
      data: encodeConfChange(change),
    };
    this.#dispatch(message({ type: MessageType.Prop, entries: [entry] }));
  }

  applyConfChange(change: ConfChangeV1 | ConfChangeV2, index?: number): ConfState {
    return applyConfChange(this.raft, change, index);
  }

  step(m: Message): void {
    const isOwn = isStorageThread(m.from);
    // 0 is no addressee: a request that a driver has built itself need not name one.
    if (m.to !== NONE && m.to !== this.raft.id) throw new ErrStepMisdirected(m.to, this.raft.id);
    if (isLocalMessage(m.type) && !isOwn) throw new ErrStepLocalMsg();
    if (isPeerMessage(m.type) && !this.#isPeerLike(m)) throw new ErrStepLocalMsg();
    if (isResponse(m.type) && !isOwn && !this.raft.tracker.progress.has(m.from)) {
      throw new ErrStepPeerNotFound();
    }
    if (m.type === MessageType.Prop && (m.entries.length === 0 || !areWellFormed(m.entries))) {
      throw new ErrProposalDropped();
    }
    this.#dispatch(m);
  }

  hasReady(): boolean {
    return this.#fault === undefined && hasReady(this.raft, this.#told);
  }

  ready(): Ready {
    if (this.#completions !== undefined) {
      throw new Error('the last Ready is not done: call advance() before ready()');
    }
    const r = this.raft;
    const selfMessages = r.messagesAfterAppend.filter(({ to }) => to === r.id);
    const ready = takeReady(r, this.#told);
    this.#told = {
      softState: ready.softState ?? this.#told.softState,
      hardState: ready.hardState ?? this.#told.hardState,
    };
    if (!r.settings.asyncStorageWrites) {
      this.#completions = completionsOf(r, ready, selfMessages);
    }
    return ready;
  }

  advance(): void {
    if (this.raft.settings.asyncStorageWrites) {
      throw new Error('advance() is for synchronous mode: deliver the responses instead');
    }
    const completions = this.#completions;
    if (completions === undefined) throw new Error('there is no Ready to be done with');
    this.#completions = undefined;
    for (const m of completions) this.#dispatch(m);
  }

  status(): Status {
    return statusOf(this.raft, this.#fault);
  }

  describe(): string {
    const { log, reads, tracker } = this.raft;
    return (
      `${describeStatus(this.status())}${tracker.describeVotes()}` +
      `log: ${log.describe()}\nreads: ${reads.describe()}\n`
    );
  }

  lastIndex(): number {
    return this.raft.log.lastIndex();
  }

  withProgress(visit: (progress: ProgressStatus) => void): void {
    if (!this.raft.isLeader) return;
    for (const [id, progress] of this.raft.tracker.progress) visit(progress.status(id));
  }

  reportUnreachable(id: number): void {
    this.#dispatch(message({ type: MessageType.Unreachable, from: id }));
  }

  reportSnapshot(id: number, ok: boolean): void {
    this.#dispatch(message({ type: MessageType.SnapStatus, from: id, reject: !ok }));
  }

  transferLeader(transferee: number): void {
    this.#dispatch(message({ type: MessageType.TransferLeader, from: transferee }));
  }

  forgetLeader(): void {
    this.#dispatch(message({ type: MessageType.ForgetLeader }));
  }

  readIndex(ctx: Uint8Array): void {
    const entries = [{ term: 0, index: 0, type: EntryType.Normal, data: ctx }];
    this.#dispatch(message({ type: MessageType.ReadIndex, entries }));
  }

  /**
   * Whether a peer can have sent it: it has a sender and a term. Without them it would be handled like a
   * local message, whose term is not checked. (In term 0 a node sends nothing but rejections of
   * preliminary votes.) From the node itself come only its own votes and acknowledgements.
   */
  #isPeerLike(m: Message): boolean {
    if (m.from === this.raft.id) return requiresDurability(m.type) && !m.reject;
    const isEarlyRejection = m.type === MessageType.PreVoteResp && m.reject;
    return m.from !== NONE && (m.term > 0 || isEarlyRejection);
  }

  #dispatch(m: Message): void {
    if (this.#fault !== undefined) {
      if (m.type === MessageType.Prop) throw new ErrProposalDropped();
      return;
    }
    try {
      step(this.raft, m);
    } catch (error) {
      this.#halt(error);
    }
  }

  /** A node whose state is damaged stops for good: every vote and every acknowledgement could lie. */
  #halt(error: unknown): void {
    if (!(error instanceof RaftFault)) throw error;
    this.#fault = error;
    this.raft.logger.error(`${this.raft.name} halted: ${error.message}`);
  }
}
