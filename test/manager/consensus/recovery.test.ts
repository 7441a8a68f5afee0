import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { keyRing, TestCluster, until, write } from './harness.ts';

const INIT = { tickMs: 50, snapshotPolicy: { interval: 50, keep: 10 } };

describe('recovery', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.stop());

  for (const entries of [3, 120]) {
    it(`makes a new cluster of one survivor, after ${entries} entries`, async () => {
      cluster = await TestCluster.create(3, INIT);
      const leader = await cluster.leader();
      const texts = Array.from({ length: entries }, (_, i) => `${i}`);
      await write(leader, ...texts);
      const [survivor, other] = await cluster.followers();
      await until(() => survivor!.machine.texts.length === entries, 'it has all');
      const dead = [leader, other!];
      const deadIds = dead.map(({ api }) => api.raftId);
      await Promise.all(cluster.managers.map((manager) => manager.kill()));
      await survivor!.start({ ...INIT, forceNewCluster: true });
      await until(() => survivor!.api.isLeader, 'it leads');
      assert.deepEqual(survivor!.machine.texts, texts);
      assert.deepEqual(
        survivor!.api.members().map(({ nodeId }) => nodeId),
        [survivor!.nodeId],
      );
      await write(survivor!, 'goes on');
      // The others learn that they are out, and cannot disturb it.
      for (const manager of dead) await manager.start(INIT).catch(() => undefined);
      await until(() => dead.every(({ removed }) => removed === 1), 'they know');
      assert.deepEqual(
        survivor!.api.membership().removed,
        deadIds.sort((a, b) => a - b),
      );
      await survivor!.kill();
      await survivor!.start(INIT);
      await until(() => survivor!.api.isLeader, 'it leads again');
      assert.deepEqual(survivor!.machine.texts, [...texts, 'goes on']);
      const fresh = cluster.add();
      await cluster.join(fresh, INIT);
      await until(() => fresh.machine.texts.length === entries + 1, 'a new one has all');
    });
  }

  it('needs a log', async () => {
    cluster = await TestCluster.create(1, INIT);
    const manager = cluster.add();
    const failure = { code: 'SWM_FAILED_PRECONDITION', message: /There is no Raft log in/ };
    await assert.rejects(manager.start({}), failure);
    await assert.rejects(manager.start({ bootstrap: true, forceNewCluster: true }), failure);
  });

  it('does not take the log of another node', async () => {
    cluster = await TestCluster.create(1, INIT);
    const manager = cluster.managers[0]!;
    await manager.kill();
    await assert.rejects(manager.start({ nodeId: 'somebody else' }), {
      code: 'SWM_CONFLICT',
      message: /belongs to node node-0, and this is node somebody else/,
    });
  });

  it('goes on under a new key', async () => {
    cluster = await TestCluster.create(1, INIT);
    const manager = cluster.managers[0]!;
    await write(manager, ...Array.from({ length: 70 }, (_, i) => `${i}`));
    const { texts } = manager.machine;
    await manager.kill();
    await manager.start(INIT, keyRing(2, 1));
    await manager.api.rotateKeys();
    await manager.kill();
    await assert.rejects(manager.start(INIT, keyRing(1)), { code: 'SWM_LOCKED' });
    await manager.start(INIT, keyRing(2));
    await until(() => manager.api.isLeader, 'it leads again');
    assert.deepEqual(manager.machine.texts, texts);
  });

  it('takes no part any more when its state machine fails', async () => {
    cluster = await TestCluster.create(3, INIT);
    const leader = await cluster.leader();
    const [broken] = await cluster.followers();
    broken!.machine.apply = () => {
      throw new Error('out of order');
    };
    await write(leader, 'x');
    await until(() => broken!.failures.length === 1, 'it gave up');
    assert.match(broken!.failures[0]!.message, /takes no part in Raft any more: out of order/);
    assert.throws(() => broken!.api.propose(Buffer.from('y')), { code: 'SWM_UNAVAILABLE' });
    await write(leader, 'the others go on');
  });
});
