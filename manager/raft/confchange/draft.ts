/**
 * A configuration being changed: the mutable form of `TrackerConfig` and its progress map, on copies,
 * so that a refused change leaves no trace.
 */

import type { TrackerConfig } from '../tracker/config.ts';
import { Progress } from '../tracker/progress.ts';
import type { ProgressMap, ProgressTracker } from '../tracker/tracker.ts';
import { type ConfChangeSingle, ConfChangeType, NONE } from '../types.ts';

export class Draft {
  readonly incoming: Set<number>;
  readonly outgoing: Set<number>;
  readonly learners: Set<number>;
  readonly learnersNext: Set<number>;
  autoLeave: boolean;
  readonly progress: Map<number, Progress>;
  readonly #tracker: ProgressTracker;
  readonly #lastIndex: number;

  constructor(tracker: ProgressTracker, lastIndex: number) {
    const { voters, learners, learnersNext, autoLeave } = tracker.config;
    this.incoming = new Set(voters.incoming);
    this.outgoing = new Set(voters.outgoing);
    this.learners = new Set(learners);
    this.learnersNext = new Set(learnersNext);
    this.autoLeave = autoLeave;
    this.progress = new Map([...tracker.progress].map(([id, each]) => [id, each.clone()]));
    this.#tracker = tracker;
    this.#lastIndex = lastIndex;
  }

  get isJoint(): boolean {
    return this.outgoing.size > 0;
  }

  /** Each change is idempotent: what is so already stays so. */
  apply(change: ConfChangeSingle): void {
    // Zero is how a change is voided between being proposed and being applied.
    if (change.nodeId === NONE) return;
    switch (change.type) {
      case ConfChangeType.AddNode:
        this.#makeVoter(change.nodeId);
        break;
      case ConfChangeType.AddLearnerNode:
        this.#makeLearner(change.nodeId);
        break;
      case ConfChangeType.RemoveNode:
        this.#remove(change.nodeId);
        break;
      case ConfChangeType.UpdateNode:
        return;
    }
  }

  #makeVoter(id: number): void {
    const progress = this.progress.get(id);
    if (progress === undefined) this.#addProgress(id, false);
    else progress.isLearner = false;
    this.learners.delete(id);
    this.learnersNext.delete(id);
    this.incoming.add(id);
  }

  #makeLearner(id: number): void {
    const progress = this.progress.get(id);
    if (progress === undefined) {
      this.#addProgress(id, true);
      this.learners.add(id);
      return;
    }
    if (progress.isLearner) return;
    this.#remove(id);
    this.progress.set(id, progress);
    // An outgoing voter votes until the transition ends, and becomes a learner only then.
    if (this.outgoing.has(id)) {
      this.learnersNext.add(id);
    } else {
      progress.isLearner = true;
      this.learners.add(id);
    }
  }

  #remove(id: number): void {
    this.incoming.delete(id);
    this.learners.delete(id);
    this.learnersNext.delete(id);
    if (!this.outgoing.has(id)) this.progress.delete(id);
  }

  #addProgress(id: number, isLearner: boolean): void {
    // Start at the end of the log: the first rejection tells where the new node really is.
    const next = Math.max(this.#lastIndex, 1);
    const progress = new Progress(0, next, this.#tracker.newInflights(), isLearner);
    // A new node counts as active, or the next check of the quorum could depose the leader before the
    // node had a chance to say anything.
    progress.recentActive = true;
    this.progress.set(id, progress);
  }

  config(): TrackerConfig {
    return {
      voters: { incoming: sorted(this.incoming), outgoing: sorted(this.outgoing) },
      learners: sorted(this.learners),
      learnersNext: sorted(this.learnersNext),
      autoLeave: this.autoLeave,
    };
  }

  result(): { config: TrackerConfig; progress: ProgressMap } {
    return { config: this.config(), progress: this.progress };
  }
}

function sorted(ids: ReadonlySet<number>): number[] {
  return [...ids].sort((a, b) => a - b);
}
