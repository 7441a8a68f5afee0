import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { NO_LEADER_MESSAGE } from '../../../manager/consensus/index.ts';
import { settle } from '../../support/virtual-clock.ts';
import { TestCluster, until, write } from './harness.ts';

const INIT = { tickMs: 50 };

describe('reads', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.stop());

  it('of followers see what was acknowledged before', async () => {
    cluster = await TestCluster.create(3, INIT);
    const leader = await cluster.leader();
    const followers = await cluster.followers();
    for (let i = 0; i < 30; i++) {
      await write(leader, `${i}`);
      await Promise.all(
        followers.map(async ({ api, machine }) => {
          await api.readIndex();
          assert.equal(machine.texts.length, i + 1);
        }),
      );
    }
  });

  it('fail at once when there is no leader, and work again when there is one', async () => {
    cluster = await TestCluster.create(3, INIT);
    const leader = await cluster.leader();
    const [stays, goes] = await cluster.followers();
    await Promise.all([leader.kill(), goes!.kill()]);
    const failure = { code: 'SWM_NO_LEADER', message: NO_LEADER_MESSAGE };
    await assert.rejects(stays!.api.readIndex(), failure);
    let rejected = false;
    stays!.api.readIndex().catch(() => {
      rejected = true;
    });
    await settle();
    assert.ok(rejected, 'the second read does not wait');
    assert.equal(stays!.api.leader(), undefined);
    await goes!.start(INIT);
    await cluster.leader();
    await stays!.api.readIndex();
  });

  it('wait through an election', async () => {
    cluster = await TestCluster.create(3, INIT);
    const leader = await cluster.leader();
    const [follower] = await cluster.followers();
    await write(leader, 'x');
    await leader.kill();
    await follower!.api.readIndex();
    assert.deepEqual(follower!.machine.texts, ['x']);
  });

  it('end when their signal says so', async () => {
    cluster = await TestCluster.create(3, INIT);
    const leader = await cluster.leader();
    const enough = new AbortController();
    const read = leader.api.readIndex(enough.signal);
    // Before anybody can have answered.
    enough.abort(new Error('enough'));
    await assert.rejects(read, /enough/);
  });

  it('go to the leader that is, not to one that was', async () => {
    cluster = await TestCluster.create(3, INIT);
    const leader = await cluster.leader();
    const [a, b] = await cluster.followers();
    await Promise.all([a!.kill(), b!.kill()]);
    // Alone it cannot know whether somebody else leads, and must step down instead of answering.
    await assert.rejects(leader.api.readIndex(), { code: 'SWM_NO_LEADER' });
    assert.equal(leader.api.isLeader, false);
    await until(() => leader.machine.discards > 0, 'proposals were discarded');
  });
});
