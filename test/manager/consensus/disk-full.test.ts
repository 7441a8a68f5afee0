import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { it } from 'node:test';
import { TestCluster, until, write } from './harness.ts';

const INIT = { tickMs: 50 };
const isRoot = process.getuid?.() === 0;

it('a leader whose disk is full hands over, and loses nothing that it acknowledged', {
  skip: isRoot ? false : 'mounting a small file system takes root',
}, async () => {
  const cluster = await TestCluster.create(2, INIT);
  const small = cluster.add();
  mkdirSync(small.dir);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small.dir]);
  try {
    await cluster.join(small, INIT);
    await cluster.allVote(3);
    while (!small.api.isLeader) {
      const leader = await cluster.leader();
      if (leader !== small) await leader.api.transferLeadership().catch(() => undefined);
      await until(() => cluster.running.some(({ api }) => api.isLeader), 'somebody leads');
    }
    const acknowledged: string[] = [];
    const fill = async () => {
      for (let i = 0; ; i++) {
        const text = `${i} ${'x'.repeat(100_000)}`;
        await write(small, text);
        acknowledged.push(text);
      }
    };
    const end = await fill().catch((error) => error);
    assert.ok(['SWM_UNAVAILABLE', 'SWM_NOT_LEADER'].includes(end.code), String(end));
    await until(() => small.failures.length === 1, 'it reports');
    assert.match(small.failures[0]!.message, /takes no part in Raft any more: /);
    await until(() => cluster.running.some(({ api }) => api.isLeader), 'another leads');
    const next = cluster.running.find(({ api }) => api.isLeader)!;
    assert.notEqual(next, small);
    await write(next, 'goes on');
    assert.ok(acknowledged.length > 5);
    assert.deepEqual(next.machine.texts.slice(0, acknowledged.length), acknowledged);
  } finally {
    await cluster.killAll();
    execFileSync('umount', [small.dir]);
    await cluster.stop();
  }
});
