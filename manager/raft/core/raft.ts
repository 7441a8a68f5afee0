/**
 * The state of one node, and the few operations everything else is made of. What the node does with it
 * is in the files beside this one, as functions that take a `Raft`: a file for each concern.
 *
 * Term and vote change only together or with a higher term; `messages` may leave at once,
 * `messagesAfterAppend` only when all that was handed out until then is durable.
 */

import type { Settings } from '../config.ts';
import { RaftLog } from '../log/raft-log.ts';
import { type MessageInit, message, requiresDurability } from '../message.ts';
import { ReadOnly } from '../read-only.ts';
import { Progress } from '../tracker/progress.ts';
import { ProgressTracker } from '../tracker/tracker.ts';
import {
  type HardState,
  type Logger,
  type Message,
  MessageType,
  NONE,
  type ReadState,
  type SoftState,
  StateType,
} from '../types.ts';

export class Raft {
  readonly settings: Settings;
  readonly id: number;
  readonly logger: Logger;
  readonly log: RaftLog;
  tracker: ProgressTracker;
  /** The configuration in force is that after entry `configIndex`, or a later one. */
  configIndex = 0;

  term = 0;
  vote = NONE;
  lead = NONE;
  state: StateType = StateType.Follower;
  isLearner = false;

  messages: Message[] = [];
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];

  /** Ticks since the last election timeout (leader), or since a leader or candidate was heard of. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  randomizedElectionTimeout = 0;

  /** The first entry a leader has appended in its term. */
  termStart = 0;
  /** To whom leadership is being handed over; no proposals are taken meanwhile. */
  leadTransferee = NONE;
  /** Somebody was asked to campaign in this leader's place, and may do so whenever it gets to know. */
  offeredInTerm = false;
  /** No further configuration change may be proposed until entries up to here are applied. */
  pendingConfIndex = 0;
  /** Payload bytes in the uncommitted tail; may be too low after an election, is never too high. */
  uncommittedSize = 0;
  reads = new ReadOnly();
  /** Reads that wait for the first commit of the term: the commit index may be out of date before. */
  readsBeforeCommit: Message[] = [];

  constructor(settings: Settings) {
    this.settings = settings;
    this.id = settings.id;
    this.logger = settings.logger;
    this.log = new RaftLog(settings.storage, settings.logger, settings.maxCommittedSizePerReady);
    this.tracker = new ProgressTracker(settings.maxInflightMsgs, settings.maxInflightBytes);
  }

  get isLeader(): boolean {
    return this.state === StateType.Leader;
  }

  /** This node as the log text names it. */
  get name(): string {
    return hex(this.id);
  }

  softState(): SoftState {
    return { lead: this.lead, raftState: this.state };
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /** Queues a message of the present term (votes bring their own term, forwarded requests have none). */
  send(init: MessageInit): void {
    const { type } = init;
    const term = bringsTerm(type) ? init.term : carriesNoTerm(type) ? 0 : this.term;
    const sent = message(init, init.from || this.id, term);
    if (requiresDurability(type)) this.messagesAfterAppend.push(sent);
    else if (sent.to === this.id)
      throw new Error(`bug: message ${type} is addressed to its sender`);
    else this.messages.push(sent);
  }

  /** The start of a role: in a new term the vote is free again; everything volatile is forgotten. */
  reset(term: number): void {
    if (this.term !== term) {
      this.term = term;
      this.vote = NONE;
    }
    this.lead = NONE;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.redrawElectionTimeout();
    this.leadTransferee = NONE;
    this.offeredInTerm = false;
    this.pendingConfIndex = 0;
    this.uncommittedSize = 0;
    this.reads = new ReadOnly();
    this.readsBeforeCommit = [];
    this.tracker.resetVotes();
    this.#resetProgress();
  }

  #resetProgress(): void {
    const last = this.log.lastIndex();
    const fresh = new Map<number, Progress>();
    for (const [id, { isLearner }] of this.tracker.progress) {
      const match = id === this.id ? last : 0;
      fresh.set(id, new Progress(match, last + 1, this.tracker.newInflights(), isLearner));
    }
    this.tracker.progress = fresh;
  }

  /** Uniform in [electionTick, 2 * electionTick): different nodes rarely campaign at the same time. */
  redrawElectionTimeout(): void {
    const { electionTick, random } = this.settings;
    this.randomizedElectionTimeout = electionTick + Math.floor(random() * electionTick);
  }

  /** May this node become leader? Not while it waits for a snapshot: it does not know its state. */
  get promotable(): boolean {
    const own = this.tracker.progress.get(this.id);
    return own !== undefined && !own.isLearner && this.log.unstable.snapshot === undefined;
  }
}

function bringsTerm(type: MessageType): boolean {
  return (
    type === MessageType.Vote ||
    type === MessageType.VoteResp ||
    type === MessageType.PreVote ||
    type === MessageType.PreVoteResp
  );
}

/** They are requests of a local caller, passed on to the leader whatever its term. */
function carriesNoTerm(type: MessageType): boolean {
  return type === MessageType.Prop || type === MessageType.ReadIndex;
}

export function hex(id: number): string {
  return id.toString(16);
}
