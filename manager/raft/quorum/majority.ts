/**
 * A majority of a set of voters: what it has committed and how it has voted (Raft 5.2, 5.4).
 *
 * A set is a sorted array of ids without duplicates; sets have a handful of members, where arrays
 * beat hash sets and give a fixed order.
 */

export type MajorityConfig = readonly number[];

/** The highest index a voter has acknowledged; undefined when nothing is known of it. */
export type AckedIndex = (id: number) => number | undefined;

/** True: granted. False: rejected. Undefined: no answer yet. */
export type VoteOf = (id: number) => boolean | undefined;

export type VoteResult = 'VotePending' | 'VoteLost' | 'VoteWon';

/** The commit index of the empty set: it constrains nothing, which is what a joint quorum needs. */
export const ANY_INDEX = Number.POSITIVE_INFINITY;

/** The highest index that a majority has acknowledged; voters of whom nothing is known count as 0. */
export function committedIndex(config: MajorityConfig, acked: AckedIndex): number {
  const size = config.length;
  if (size === 0) return ANY_INDEX;
  const sorted: number[] = [];
  for (let i = 0; i < size; i++) insert(sorted, acked(config[i]!) ?? 0);
  // Ascending: with n voters the entry at n - (n/2 + 1) is held by n/2 + 1 of them.
  return sorted[size - (Math.floor(size / 2) + 1)]!;
}

/** Insertion sort: fastest for sets of this size. */
function insert(sorted: number[], value: number): void {
  let i = sorted.length;
  sorted.push(value);
  while (i > 0 && sorted[i - 1]! > value) {
    sorted[i] = sorted[i - 1]!;
    i--;
  }
  sorted[i] = value;
}

/** The empty set has won: half of a joint quorum that is not there decides nothing. */
export function voteResult(config: MajorityConfig, voteOf: VoteOf): VoteResult {
  if (config.length === 0) return 'VoteWon';
  let granted = 0;
  let missing = 0;
  for (const id of config) {
    const vote = voteOf(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const quorum = Math.floor(config.length / 2) + 1;
  if (granted >= quorum) return 'VoteWon';
  return granted + missing >= quorum ? 'VotePending' : 'VoteLost';
}
