/**
 * The quorum of joint consensus (Raft thesis 4.3): a majority of the incoming and a majority of the
 * outgoing voters. Outside of a transition `outgoing` is empty and agrees with everything.
 */

import {
  type AckedIndex,
  type MajorityConfig,
  committedIndex as majorityIndex,
  voteResult as majorityVote,
  type VoteOf,
  type VoteResult,
} from './majority.ts';

export interface JointConfig {
  readonly incoming: MajorityConfig;
  readonly outgoing: MajorityConfig;
}

export function committedIndex(config: JointConfig, acked: AckedIndex): number {
  const incoming = majorityIndex(config.incoming, acked);
  if (config.outgoing.length === 0) return incoming;
  return Math.min(incoming, majorityIndex(config.outgoing, acked));
}

export function voteResult(config: JointConfig, voteOf: VoteOf): VoteResult {
  const incoming = majorityVote(config.incoming, voteOf);
  const outgoing = majorityVote(config.outgoing, voteOf);
  if (incoming === outgoing) return incoming;
  if (incoming === 'VoteLost' || outgoing === 'VoteLost') return 'VoteLost';
  return 'VotePending';
}

/** Every id that votes in one of the halves, ascending. */
export function voterIds(config: JointConfig): number[] {
  if (config.outgoing.length === 0) return [...config.incoming];
  return [...new Set([...config.incoming, ...config.outgoing])].sort((a, b) => a - b);
}

export function isVoter(config: JointConfig, id: number): boolean {
  return config.incoming.includes(id) || config.outgoing.includes(id);
}

export function isJoint(config: JointConfig): boolean {
  return config.outgoing.length > 0;
}
