import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSimulation } from './run.ts';

test('the same seed gives the same run, event for event', async () => {
  const [a, b, other] = [
    await runSimulation({ seed: 3 }),
    await runSimulation({ seed: 3 }),
    await runSimulation({ seed: 4 }),
  ];
  assert.deepEqual(a, b);
  assert.notEqual(a.hash, other.hash);
});

test('clusters survive whatever happens to them', async () => {
  for (let seed = 1_001; seed <= 1_008; seed++) {
    const { failure, elections, operations } = await runSimulation({ seed });
    if (failure) throw new Error(`npm run sim -- --seed ${seed}`, { cause: failure });
    assert.ok(elections > 0 && operations > 20, `seed ${seed} does next to nothing`);
  }
});
