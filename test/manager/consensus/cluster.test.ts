import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { TestCluster, until, write } from './harness.ts';

describe('three managers', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.stop());

  it('replicate what the leader takes', async () => {
    cluster = await TestCluster.create(3);
    const leader = await cluster.leader();
    await write(leader, 'a', 'b', 'c');
    await until(
      () => cluster.managers.every(({ machine }) => machine.texts.join('') === 'abc'),
      'all have it',
    );
  });

  it('replace a killed leader and lose nothing', async () => {
    cluster = await TestCluster.create(3);
    const leader = await cluster.leader();
    await write(leader, 'a', 'b', 'c');
    await leader.kill();
    const next = await cluster.leader();
    await write(next, 'd');
    assert.deepEqual(next.machine.texts, ['a', 'b', 'c', 'd']);
    await leader.start({});
    await until(() => leader.machine.texts.join('') === 'abcd', 'the old leader has caught up');
  });
});
