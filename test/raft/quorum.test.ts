import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as joint from '../../manager/raft/quorum/joint.ts';
import * as majority from '../../manager/raft/quorum/majority.ts';

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 15 }), { maxLength: 10 });
const indexes = fc.dictionary(
  fc.integer({ min: 1, max: 15 }).map(String),
  fc.integer({ min: 0, max: 12 }),
);
const votes = fc.dictionary(fc.integer({ min: 1, max: 15 }).map(String), fc.boolean());

/** By definition: the highest index that more than half of the voters have reached. */
function naiveCommitted(config: readonly number[], acked: majority.AckedIndex): number {
  if (config.length === 0) return majority.ANY_INDEX;
  const candidates = [0, ...config.map((id) => acked(id) ?? 0)].sort((a, b) => b - a);
  return candidates.find(
    (index) => config.filter((id) => (acked(id) ?? 0) >= index).length > config.length / 2,
  )!;
}

test('majority: the committed index is the naive one', () => {
  fc.assert(
    fc.property(ids, indexes, (config, known) => {
      const acked = (id: number) => known[id];
      assert.equal(majority.committedIndex(config, acked), naiveCommitted(config, acked));
    }),
    { numRuns: 50_000 },
  );
});

test('joint: the committed index is the lower of the halves', () => {
  fc.assert(
    fc.property(ids, ids, indexes, (incoming, outgoing, known) => {
      const acked = (id: number) => known[id];
      const expected = Math.min(naiveCommitted(incoming, acked), naiveCommitted(outgoing, acked));
      assert.equal(joint.committedIndex({ incoming, outgoing }, acked), expected);
      assert.equal(
        joint.committedIndex({ incoming: outgoing, outgoing: incoming }, acked),
        expected,
      );
    }),
    { numRuns: 5_000 },
  );
});

test('a vote is decided exactly when the missing answers cannot change it', () => {
  /** Every way in which the missing voters may still answer. */
  const outcomes = (config: readonly number[], voteOf: majority.VoteOf): Set<boolean> => {
    const granted = config.filter((id) => voteOf(id) === true).length;
    const missing = config.filter((id) => voteOf(id) === undefined).length;
    const isWon = (extra: number) => granted + extra > config.length / 2 || config.length === 0;
    return new Set(Array.from({ length: missing + 1 }, (_, extra) => isWon(extra)));
  };
  fc.assert(
    fc.property(ids, votes, (config, known) => {
      const voteOf = (id: number) => known[id];
      const possible = outcomes(config, voteOf);
      const expected =
        possible.size > 1 ? 'VotePending' : possible.has(true) ? 'VoteWon' : 'VoteLost';
      assert.equal(majority.voteResult(config, voteOf), expected);
    }),
    { numRuns: 5_000 },
  );
});

test('a joint vote needs both halves', () => {
  fc.assert(
    fc.property(ids, ids, votes, (incoming, outgoing, known) => {
      const voteOf = (id: number) => known[id];
      const halves = [majority.voteResult(incoming, voteOf), majority.voteResult(outgoing, voteOf)];
      const expected = halves.includes('VoteLost')
        ? 'VoteLost'
        : halves.includes('VotePending')
          ? 'VotePending'
          : 'VoteWon';
      assert.equal(joint.voteResult({ incoming, outgoing }, voteOf), expected);
    }),
    { numRuns: 5_000 },
  );
});
