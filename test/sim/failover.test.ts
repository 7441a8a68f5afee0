import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Config } from '../../proto/gen/swarm/objects.ts';
import { SimCluster } from './cluster/sim-cluster.ts';
import { Trace } from './world/trace.ts';
import { World } from './world/world.ts';

/** Virtual milliseconds from the end of the leader to the first write that another took. */
async function failover(seed: number, powerLoss: boolean): Promise<number> {
  const world = new World({ trace: new Trace() }, { seed });
  const cluster = new SimCluster({ world }, { managers: 3, workers: 0, drift: 0 });
  await cluster.boot();
  // Not always at the same distance from a heartbeat.
  await world.run(1_000 + 37 * seed);
  cluster.leader()!.crash(powerLoss);
  const crashedAt = world.time;
  assert.ok(await world.until(() => cluster.leader() !== undefined, 30_000, 1));
  let written = false;
  const spec = { annotations: { name: 'c' } };
  await Promise.all([
    cluster
      .leader()!
      .life!.store.update((tx) => tx.create('config', Config.fromPartial({ id: 'c', spec })))
      .then(() => {
        written = true;
      }),
    world.until(() => written, 30_000, 1),
  ]);
  return world.time - crashedAt;
}

async function failovers(powerLoss: boolean): Promise<{ median: number; longest: number }> {
  const times: number[] = [];
  for (let seed = 1; seed <= 15; seed++) times.push(await failover(seed, powerLoss));
  times.sort((a, b) => a - b);
  return { median: times[7]!, longest: times.at(-1)! };
}

// The others see its connections break, and need no election timeout to notice.
test('a leader whose process ends is replaced at once', async () => {
  const { median, longest } = await failovers(false);
  assert.ok(median <= 100, `${median} ms`);
  assert.ok(longest <= 5_000, `${longest} ms`);
});

// An election timeout is one to two seconds; a split vote takes another.
test('a leader that falls silent is replaced within two seconds', async () => {
  const { median, longest } = await failovers(true);
  assert.ok(median <= 2_000, `${median} ms`);
  assert.ok(longest <= 5_000, `${longest} ms`);
});
