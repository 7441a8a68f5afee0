import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../support/seeded-random.ts';
import { FAULTS, planRounds, victimsOf } from './plan.ts';

const hosts = (count: number) => Array.from({ length: count }, (_, i) => `manager-${i + 1}`);

test('a seed stands for the same rounds, and another one for others', () => {
  const plan = (seed: number) => planRounds(seededRandom(seed), 5, 50);
  assert.deepEqual(plan(1), plan(1));
  assert.notDeepEqual(plan(1), plan(2));
});

test('fifty rounds have every fault, leaders on purpose, and others', () => {
  const strikes = planRounds(seededRandom(1), 3, 50).flatMap((round) => round.strikes);
  assert.equal(strikes.length, 50);
  for (const fault of FAULTS) assert.ok(strikes.some(({ kind }) => kind === fault));
  const onPurpose = strikes.filter(({ leader }) => leader).length;
  assert.ok(onPurpose > 10 && onPurpose < 40);
});

test('two at once only where the others are a majority, and never the same twice', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const rounds = planRounds(seededRandom(seed), 5, 50);
    assert.ok(rounds.some(({ strikes }) => strikes.length === 2));
    for (const round of rounds) {
      for (const leader of hosts(5)) {
        const victims = victimsOf(round, hosts(5), leader);
        assert.equal(new Set(victims.map(({ host }) => host)).size, round.strikes.length);
        for (const { host, led } of victims) assert.equal(led, host === leader);
      }
    }
    assert.ok(planRounds(seededRandom(seed), 3, 50).every(({ strikes }) => strikes.length === 1));
  }
});
