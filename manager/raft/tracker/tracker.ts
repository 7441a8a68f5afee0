/** The configuration in force, the progress of everybody in it, and the votes of a campaign. */

import { committedIndex, voteResult } from '../quorum/joint.ts';
import type { VoteResult } from '../quorum/majority.ts';
import { describeConfig, EMPTY_CONFIG, type TrackerConfig } from './config.ts';
import { Inflights } from './inflights.ts';
import type { Progress } from './progress.ts';

/** By id, in ascending order of ids: messages to several peers leave in this order. */
export type ProgressMap = ReadonlyMap<number, Progress>;

export interface Tally {
  readonly granted: number;
  readonly rejected: number;
  readonly result: VoteResult;
}

export class ProgressTracker {
  readonly maxInflight: number;
  readonly maxInflightBytes: number;
  config: TrackerConfig = EMPTY_CONFIG;
  progress: ProgressMap = new Map();
  votes = new Map<number, boolean>();

  readonly #matchOf = (id: number): number | undefined => this.progress.get(id)?.match;
  readonly #voteOf = (id: number): boolean | undefined => this.votes.get(id);
  readonly #isActive = (id: number): boolean | undefined => this.progress.get(id)?.recentActive;

  constructor(maxInflight: number, maxInflightBytes: number) {
    this.maxInflight = maxInflight;
    this.maxInflightBytes = maxInflightBytes;
  }

  newInflights(): Inflights {
    return new Inflights(this.maxInflight, this.maxInflightBytes);
  }

  use(config: TrackerConfig, progress: ProgressMap): void {
    this.config = config;
    this.progress = new Map([...progress].sort(([a], [b]) => a - b));
  }

  /** The highest index a quorum has acknowledged. */
  committed(): number {
    return committedIndex(this.config.voters, this.#matchOf);
  }

  /** Was a quorum heard from since the last check? */
  quorumActive(): boolean {
    return voteResult(this.config.voters, this.#isActive) === 'VoteWon';
  }

  /** Does `id` alone decide? A leader that was removed may lead on, but decides nothing. */
  isOnlyVoter(id: number): boolean {
    const { incoming, outgoing } = this.config.voters;
    return incoming.length === 1 && incoming[0] === id && outgoing.length === 0;
  }

  resetVotes(): void {
    this.votes.clear();
  }

  /** The first answer counts. */
  recordVote(id: number, granted: boolean): void {
    if (!this.votes.has(id)) this.votes.set(id, granted);
  }

  /** The configuration, the progress of everybody, and the votes of a campaign, if there are any. */
  describe(): string {
    return `${describeConfig(this.config)}\n${describeProgressMap(this.progress)}${this.describeVotes()}`;
  }

  /** `votes: 1=yes 2=no`, if there are any. */
  describeVotes(): string {
    if (this.votes.size === 0) return '';
    const votes = [...this.votes].sort(([a], [b]) => a - b);
    return `votes: ${votes.map(([id, granted]) => `${id}=${granted ? 'yes' : 'no'}`).join(' ')}\n`;
  }

  tally(): Tally {
    let granted = 0;
    let rejected = 0;
    for (const [id, progress] of this.progress) {
      if (progress.isLearner) continue;
      const vote = this.votes.get(id);
      if (vote === true) granted++;
      else if (vote === false) rejected++;
    }
    return { granted, rejected, result: voteResult(this.config.voters, this.#voteOf) };
  }
}

/** One line per follower: `2: StateProbe match=0 next=1` */
export function describeProgressMap(progress: ProgressMap): string {
  return [...progress]
    .sort(([a], [b]) => a - b)
    .map(([id, each]) => `${id}: ${each.describe()}\n`)
    .join('');
}
