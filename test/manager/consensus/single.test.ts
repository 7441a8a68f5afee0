import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestCluster, type TestManager, until, write } from './harness.ts';

describe('a single manager', () => {
  let cluster: TestCluster;
  let manager: TestManager;

  before(async () => {
    cluster = await TestCluster.create(1);
    manager = cluster.managers[0]!;
  });
  after(() => cluster.stop());

  it('leads at once and applies what is proposed, in order', async () => {
    const texts = Array.from({ length: 100 }, (_, i) => `entry ${i}`);
    const proposals = texts.map((text) => manager.api.propose(Buffer.from(text)));
    await Promise.all(proposals.map(({ committed }) => committed));
    assert.deepEqual(manager.machine.texts, texts);
    assert.deepEqual(
      manager.machine.entries.map(({ index }) => index),
      proposals.map(({ index }) => index),
    );
  });

  it('answers reads with an index that is applied', async () => {
    await write(manager, 'before the read');
    const index = await manager.api.readIndex();
    assert.ok(index >= manager.machine.entries.at(-1)!.index);
    assert.ok(manager.api.appliedIndex >= index);
  });

  it('has its state again after a crash', async () => {
    await write(manager, 'the last one');
    const texts = manager.machine.texts;
    await manager.kill();
    await manager.start({});
    await until(() => manager.api.isLeader, 'it leads again');
    assert.deepEqual(manager.machine.texts, texts);
  });

  it('refuses to remove itself', async () => {
    await assert.rejects(manager.api.removeMember(manager.api.raftId));
  });
});
