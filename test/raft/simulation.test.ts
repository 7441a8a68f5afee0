/**
 * Clusters under faults. A failure names its seed; `RAFT_SEED=n` runs that one alone, `RAFT_SEEDS=n`
 * runs n of them.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Simulation, type SimulationResult } from './support/simulation.ts';

const STEPS = 3_000;
const only = process.env['RAFT_SEED'];
const count = Number(process.env['RAFT_SEEDS'] ?? 60);
const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];

function simulate(seed: number): SimulationResult {
  try {
    return new Simulation(seed).run(STEPS);
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

test(`${seeds.length} clusters stay correct under faults and recover from them`, () => {
  const results = seeds.map(simulate);
  const total = (of: (result: SimulationResult) => number) =>
    results.reduce((sum, result) => sum + of(result), 0);
  // A simulation in which nothing happens would prove nothing.
  assert.ok(total(({ applied }) => applied.length) >= 5 * seeds.length);
  if (only !== undefined) return;
  assert.ok(total(({ elections }) => elections) >= 2 * seeds.length);
  assert.ok(total(({ reads }) => reads) >= seeds.length);
  assert.ok(total(({ snapshots }) => snapshots) >= 10);
  assert.ok(total(({ changes }) => changes) >= seeds.length);
});

test('the same seed gives the same run', () => {
  assert.deepEqual(simulate(seeds[0]!), simulate(seeds[0]!));
});
