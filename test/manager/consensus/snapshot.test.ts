import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { TestCluster, type TestManager, until, write } from './harness.ts';

const INIT = { tickMs: 50, snapshotPolicy: { interval: 50, keep: 10 } };
const PADDING = 1_500_000;

async function writeMany(manager: TestManager, from: number, count: number): Promise<void> {
  const texts = Array.from({ length: count }, (_, i) => `entry ${from + i}`);
  await Promise.all(texts.map((text) => write(manager, text)));
}

/** Snapshots are written beside the work, and may be late. */
function logIsShort({ api }: TestManager): Promise<void> {
  return until(() => api.stats().firstIndex > 1, 'a snapshot stands for the beginning');
}

function same(a: TestManager, b: TestManager): boolean {
  return a.machine.texts.join() === b.machine.texts.join();
}

describe('snapshots', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.stop());

  it('stand in for the log at a restart', async () => {
    cluster = await TestCluster.create(1, INIT);
    const manager = await cluster.leader();
    manager.machine.padding = PADDING;
    for (let i = 0; i < 10; i++) await writeMany(manager, i * 30, 30);
    await logIsShort(manager);
    const { texts } = manager.machine;
    await manager.kill();
    await manager.start(INIT);
    assert.equal(manager.machine.restores, 1);
    // What was committed last is known to be so only when it leads.
    await until(() => manager.api.isLeader, 'it leads');
    assert.deepEqual(manager.machine.texts, texts);
    await writeMany(manager, 300, 100);
    assert.equal(manager.machine.texts.length, 400);
    // On a busy machine the first one takes longer than all the writes; the next entry brings another.
    const isBehind = () => manager.api.stats().snapshotIndex <= 300;
    for (let i = 400; i < 2_000 && isBehind(); i++) await writeMany(manager, i, 1);
    await until(() => manager.api.stats().snapshotIndex > 300, 'there is a new snapshot');
    const { firstIndex, lastIndex, pendingBytes } = manager.api.stats();
    assert.ok(firstIndex > 290, `the log begins at ${firstIndex}`);
    assert.deepEqual([lastIndex, pendingBytes], [manager.api.appliedIndex, 0]);
  });

  it('bring a new member up to date', async () => {
    cluster = await TestCluster.create(1, INIT);
    const leader = await cluster.leader();
    leader.machine.padding = PADDING;
    for (let i = 0; i < 10; i++) await writeMany(leader, i * 30, 30);
    await logIsShort(leader);
    const manager = cluster.add();
    await cluster.join(manager, INIT);
    await until(() => same(leader, manager), 'it has everything');
    assert.ok(manager.machine.restores >= 1);
    await cluster.allVote(2);
    assert.deepEqual(
      manager.api
        .members()
        .map(({ nodeId }) => nodeId)
        .sort(),
      ['node-0', 'node-1'],
    );
    await manager.kill();
    await manager.start(INIT);
    await until(() => same(leader, manager), 'it has everything again');
  });

  it('bring a member that was away up to date, while writing goes on', async () => {
    cluster = await TestCluster.create(3, INIT);
    const leader = await cluster.leader();
    for (const { machine } of cluster.managers) machine.padding = PADDING;
    const [away] = await cluster.followers();
    await away!.kill();
    for (let i = 0; i < 10; i++) await writeMany(leader, i * 30, 30);
    await logIsShort(leader);
    await away!.start(INIT);
    for (let i = 10; i < 20; i++) await writeMany(leader, i * 30, 30);
    await until(() => same(leader, away!), 'it has everything');
    assert.ok(away!.machine.restores >= 1);
    assert.equal(leader.machine.texts.length, 600);
  });
});
