/**
 * What the leader knows of one follower, and from it the pace at which it is sent entries.
 *
 *   Probe      the end of the follower's log is not known: one message, then wait for its answer
 *              or the next heartbeat's.
 *   Replicate  the logs agree: messages are pipelined, `next` runs ahead of the acknowledgements, and
 *              `inflights` bounds how far.
 *   Snapshot   the follower needs a snapshot and is sent nothing else until it has one.
 *
 * Invariants: 0 <= match < next; in Snapshot, next === pendingSnapshot + 1.
 */

import { describeProgress } from '../describe/progress.ts';
import { NONE, type ProgressState, type ProgressStatus } from '../types.ts';
import type { Inflights } from './inflights.ts';

export class Progress {
  /** The follower has durably the leader's log up to here. */
  match: number;
  /** The next entry to send. All below is sent (perhaps lost) or acknowledged. */
  next: number;
  state: ProgressState = 'StateProbe';
  isLearner: boolean;
  /** Something was heard from it since the last check of the quorum. */
  recentActive = false;
  /** Index of the snapshot on its way; 0 outside of Snapshot. */
  pendingSnapshot = 0;
  /**
   * Sending appends waits for an answer. In Probe after each probe with entries; in Replicate while the
   * window is full, where one empty append per heartbeat still goes out: if every message of the window
   * was lost, nothing else would ever empty it.
   */
  appendsPaused = false;
  /**
   * The highest commit index sent that the follower will hold once the messages in flight arrive. Tells
   * whether an append would tell it anything new about the commit index.
   */
  sentCommit = 0;
  readonly inflights: Inflights;

  constructor(match: number, next: number, inflights: Inflights, isLearner = false) {
    this.match = match;
    this.next = next;
    this.inflights = inflights;
    this.isLearner = isLearner;
  }

  /** Shares the window: one of the two must be thrown away. */
  clone(): Progress {
    const copy = new Progress(this.match, this.next, this.inflights, this.isLearner);
    copy.state = this.state;
    copy.recentActive = this.recentActive;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.appendsPaused = this.appendsPaused;
    copy.sentCommit = this.sentCommit;
    return copy;
  }

  get paused(): boolean {
    return this.state === 'StateSnapshot' || this.appendsPaused;
  }

  becomeProbe(): void {
    // If a snapshot was pending, the follower is believed to have it: probe right after it.
    const next = Math.max(this.match, this.pendingSnapshot) + 1;
    this.#enter('StateProbe');
    this.next = next;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter('StateReplicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#enter('StateSnapshot');
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.appendsPaused = false;
    this.pendingSnapshot = 0;
    this.inflights.reset();
  }

  /** An append with `count` entries of `bytes` bytes in all was sent. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === 'StateReplicate') {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      this.appendsPaused = this.inflights.full;
    } else if (count > 0) {
      this.appendsPaused = true;
    }
  }

  /** Would an append sent now raise the follower's commit index to, or towards, `commit`? */
  canBumpCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** An acknowledgement up to `index`. False if it says nothing new. */
  maybeUpdate(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.appendsPaused = false;
    return true;
  }

  /**
   * A rejection of the append that followed entry `rejected`; `hint` is the highest index at which the
   * logs may agree. False if it is stale: messages are reordered and repeated.
   */
  maybeDecreaseTo(rejected: number, hint: number): boolean {
    // Nothing is sent during a snapshot that could be rejected.
    if (this.state === 'StateSnapshot') return false;
    if (this.state === 'StateReplicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      // While probing there is one message, sent from next - 1; any other rejection is an old one's.
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.appendsPaused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  status(id: number): ProgressStatus {
    return {
      id,
      match: this.match,
      next: this.next,
      state: this.state,
      isLearner: this.isLearner,
      recentActive: this.recentActive,
      paused: this.paused,
      pendingSnapshot: this.pendingSnapshot,
      inflightCount: this.inflights.count,
      inflightFull: this.inflights.full,
    };
  }

  describe(): string {
    return describeProgress(this.status(NONE));
  }
}
