import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomInt } from '../../common/random.ts';
import { Config } from '../../proto/gen/swarm/objects.ts';
import { SimCluster } from './cluster/sim-cluster.ts';
import type { SimManager } from './cluster/sim-manager.ts';
import { Trace } from './world/trace.ts';
import { World } from './world/world.ts';

const LIMIT_MS = 60_000;

/**
 * All but one manager are lost, and that one is made the whole cluster, some of the times after it was
 * killed while it was at it. It has everything that was acknowledged; and the others, when they come
 * back after all, are no managers any more until they are let in again.
 */
for (const managers of [3, 5]) {
  test(`the last of ${managers} managers becomes a cluster of its own`, async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const world = new World(
        { trace: new Trace(process.env.SIM_TRACE ? console.log : undefined) },
        { seed },
      );
      const cluster = new SimCluster({ world }, { managers, workers: 0, drift: 0.01 });
      await cluster.boot();
      await disaster(world, cluster);
    }
  });
}

async function disaster(world: World, cluster: SimCluster): Promise<void> {
  const must = async (what: string, condition: () => boolean) =>
    assert.ok(await world.until(condition, LIMIT_MS, 5), what);
  const random = world.random();
  const ids: string[] = [];
  const write = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const id = `c${ids.length}`;
      const spec = { annotations: { name: id } };
      const { store } = cluster.leader()!.life!;
      store
        .update((tx) => tx.create('config', Config.fromPartial({ id, spec })))
        .then(() => ids.push(id));
      await must(`${id} is written`, () => ids.includes(id));
    }
  };
  await write(randomInt(random, 5, 90));
  await must('all have it', () => cluster.isSettled());
  const survivor = cluster.managers[randomInt(random, 0, cluster.managers.length - 1)]!;
  const others = cluster.managers.filter((manager) => manager !== survivor);
  for (const manager of cluster.managers) manager.crash(random.float() < 0.5);
  await force(world, survivor);
  await must('the survivor leads', () => survivor.life?.ready === true && leadsAlone(survivor));
  await write(5);
  for (const manager of others) manager.start();
  await must('the others hear of it', () => others.every(({ removed }) => removed));
  for (const manager of others) manager.start();
  await must('they are let in', () => cluster.isSettled() && members(survivor) > others.length);
  await write(5);
  await must('all have that too', () => cluster.isSettled());
  cluster.assertEqual();
  const found = survivor.life!.store.view((tx) => new Set(Array.from(tx.all('config'), idOf)));
  assert.deepEqual(
    ids.filter((id) => !found.has(id)),
    [],
    'acknowledged, and lost',
  );
}

/** Users who see it fail try once more. */
async function force(world: World, survivor: SimManager): Promise<void> {
  const random = world.random();
  for (let tries = 0; tries < 3; tries++) {
    survivor.start({ type: 'force-new-cluster' });
    if (random.float() < 0.5) return;
    await world.run(50 * random.float());
    survivor.crash(random.float() < 0.5);
  }
  survivor.start({ type: 'force-new-cluster' });
}

function leadsAlone(manager: SimManager): boolean {
  return members(manager) === 1 && manager.consensus?.isLeader === true;
}

function members({ consensus }: SimManager): number {
  return consensus?.members().length ?? 0;
}

function idOf({ id }: Config): string {
  return id;
}
