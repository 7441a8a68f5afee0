import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '../../manager/store/types.ts';
import { Config } from '../../proto/gen/swarm/objects.ts';
import { SimCluster } from './cluster/sim-cluster.ts';
import { GOOD_LINK } from './world/network.ts';
import { Trace } from './world/trace.ts';
import { World } from './world/world.ts';

const STEP_MS = 0.1;

// A client at a follower waits for it. Under load the next append brings it; here there is none.
test('the commit of a lone write reaches the followers without waiting for company', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const told = await timeToTell(seed);
    const [, slowest] = GOOD_LINK.delay;
    assert.ok(told <= slowest + 2 * STEP_MS, `${told} ms, seed ${seed}`);
  }
});

/** To the follower whose disk has the entry already: the commit rests on it. */
async function timeToTell(seed: number): Promise<number> {
  const world = new World({ trace: new Trace() }, { seed });
  const cluster = new SimCluster({ world }, { managers: 3, workers: 0, drift: 0 });
  await cluster.boot();
  await world.run(1_000);
  const followers = cluster.managers.filter((manager) => manager !== cluster.leader());
  const shows = (store: Store) => store.view((tx) => tx.get('config', 'c')) !== undefined;
  const leader = cluster.leader()!.life!.store;
  const spec = { annotations: { name: 'c' } };
  const write = leader.update((tx) => tx.create('config', Config.fromPartial({ id: 'c', spec })));
  await world.until(() => shows(leader), 10_000, STEP_MS);
  const committed = world.time;
  await world.until(() => followers.some(({ life }) => shows(life!.store)), 10_000, STEP_MS);
  const told = world.time - committed;
  await write;
  return told;
}
