import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import type { SwarmError } from '../../../common/errors.ts';
import { TestCluster, type TestManager, until, write } from './harness.ts';

const INIT = { tickMs: 50 };
const skip = process.getuid?.() === 0 ? false : 'mounting a small file system takes root';

/** Writes until it fails: what was acknowledged, and the failure. */
async function fill(manager: TestManager): Promise<{ acknowledged: string[]; end: SwarmError }> {
  const acknowledged: string[] = [];
  for (let i = 0; ; i++) {
    const text = `${i} ${'x'.repeat(100_000)}`;
    try {
      await write(manager, text);
    } catch (error) {
      return { acknowledged, end: error as SwarmError };
    }
    acknowledged.push(text);
  }
}

function mountSmall(dir: string): void {
  mkdirSync(dir, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', dir]);
}

it('a leader whose disk is full hands over, and loses nothing that it acknowledged', {
  skip,
}, async () => {
  const cluster = await TestCluster.create(2, INIT);
  const small = cluster.add();
  mountSmall(small.dir);
  try {
    await cluster.join(small, INIT);
    await cluster.allVote(3);
    while (!small.api.isLeader) {
      const leader = await cluster.leader();
      if (leader !== small) await leader.api.transferLeadership().catch(() => undefined);
      await until(() => cluster.running.some(({ api }) => api.isLeader), 'somebody leads');
    }
    const { acknowledged, end } = await fill(small);
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

it('the only manager reads on while its disk is full, and goes on from it with room', {
  skip,
}, async () => {
  const cluster = await TestCluster.create(1, INIT);
  const only = cluster.managers[0]!;
  await only.stop();
  const own = cluster.add();
  mountSmall(own.dir);
  try {
    await own.start({ bootstrap: true, ...INIT });
    await until(() => own.api.isLeader, 'it leads');
    const ballast = join(own.dir, 'ballast');
    writeFileSync(ballast, Buffer.alloc(2.5 * 1024 * 1024));
    const { acknowledged, end } = await fill(own);
    assert.equal(end.code, 'SWM_UNAVAILABLE');
    assert.match(end.message, /takes no part in Raft any more: .*No space left on device/);
    assert.match(end.hint ?? '', /may or may not have been made/);
    await until(() => own.failures.length === 1, 'it reports');
    assert.equal(own.api.isLeader, false);
    assert.equal(own.api.leader(), undefined);
    assert.equal(await own.api.readIndex(), own.api.appliedIndex);
    assert.deepEqual(own.machine.texts, acknowledged);
    assert.throws(() => own.api.propose(Buffer.from('x')), { message: end.message });
    await own.kill();
    rmSync(ballast);
    await own.start(INIT);
    await until(() => own.api.isLeader, 'it leads again');
    await write(own, 'goes on');
    // The one that failed may be there or not, but only where it belongs.
    const texts = own.machine.texts;
    assert.deepEqual(texts.slice(0, acknowledged.length), acknowledged);
    assert.equal(texts.at(-1), 'goes on');
    assert.ok(texts.length <= acknowledged.length + 2);
  } finally {
    await cluster.killAll();
    execFileSync('umount', [own.dir]);
    await cluster.stop();
  }
});

it('a log on a full disk that cannot be opened is not called damaged', { skip }, async () => {
  const cluster = await TestCluster.create(1, INIT);
  await cluster.managers[0]!.stop();
  const own = cluster.add();
  mountSmall(own.dir);
  try {
    await own.start({ bootstrap: true, ...INIT });
    await until(() => own.api.isLeader, 'it leads');
    await fill(own);
    await own.kill();
    await assert.rejects(own.start(INIT), {
      code: 'SWM_UNAVAILABLE',
      message: /^The Raft log cannot be opened: .*No space left on device/,
      hint: `Make room on the disk that holds ${own.dir}.`,
    });
  } finally {
    await cluster.killAll();
    execFileSync('umount', [own.dir]);
    await cluster.stop();
  }
});
