/**
 * The configuration of a cluster: who votes and who only listens.
 *
 * Invariants (checked by confchange): learners and voters are disjoint; learnersNext is a subset of
 * the outgoing voters; outside of a transition `outgoing` and `learnersNext` are empty and `autoLeave`
 * is false. All sets are sorted and immutable.
 */

import { describeSet, describeVoters } from '../quorum/describe.ts';
import type { JointConfig } from '../quorum/joint.ts';
import type { ConfState } from '../types.ts';

export interface TrackerConfig {
  readonly voters: JointConfig;
  readonly learners: readonly number[];
  /**
   * Voters of the outgoing half that will be learners. They cannot be learners yet, since a node must
   * not be both, and they still vote in the outgoing half.
   */
  readonly learnersNext: readonly number[];
  /** The leader itself proposes the end of the transition. */
  readonly autoLeave: boolean;
}

export const EMPTY_CONFIG: TrackerConfig = {
  voters: { incoming: [], outgoing: [] },
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** Of a node that is in no cluster yet. */
export const EMPTY_CONF_STATE: ConfState = confState(EMPTY_CONFIG);

export function confState(config: TrackerConfig): ConfState {
  return {
    voters: config.voters.incoming,
    votersOutgoing: config.voters.outgoing,
    learners: config.learners,
    learnersNext: config.learnersNext,
    autoLeave: config.autoLeave,
  };
}

/** Whether `id` is a voter or learner. `learnersNext` need not be looked at: they are outgoing voters. */
export function isMember(state: ConfState, id: number): boolean {
  return [state.voters, state.learners, state.votersOutgoing].some((ids) => ids.includes(id));
}

/** `voters=(1 2)&&(1) learners=(3) learners_next=(4) autoleave` */
export function describeConfig(config: TrackerConfig): string {
  let text = `voters=${describeVoters(config.voters)}`;
  if (config.learners.length > 0) text += ` learners=${describeSet(config.learners)}`;
  if (config.learnersNext.length > 0) text += ` learners_next=${describeSet(config.learnersNext)}`;
  if (config.autoLeave) text += ' autoleave';
  return text;
}
