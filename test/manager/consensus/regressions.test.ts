import assert from 'node:assert/strict';
import { readdir, readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { type LogDb, levelLogDb } from '../../../manager/consensus/log-db.ts';
import { tempDir } from '../../support/cleanup.ts';
import { KEYS, keyRing, TestCluster, TestManager, until, write } from './harness.ts';

const INIT = { tickMs: 50 };
const OFTEN = { ...INIT, snapshotPolicy: { interval: 20, keep: 0 } };

/** Faults that others found in what they wrote around Raft, by the numbers under which we keep them. */
describe('regressions of servers', () => {
  let cluster: TestCluster | undefined;
  const alone: TestManager[] = [];
  afterEach(async () => {
    await cluster?.stop();
    cluster = undefined;
    await Promise.all(alone.splice(0).map((manager) => manager.kill()));
  });
  const newManager = (dir: string) => {
    const manager = new TestManager('node-0', dir);
    alone.push(manager);
    return manager;
  };

  it('38: a member that lost what it had acknowledged does not come back as if it had not', async () => {
    cluster = await TestCluster.create(3, INIT);
    const leader = await cluster.leader();
    const [victim, other] = (await cluster.followers()) as [TestManager, TestManager];
    for (let i = 0; i < 20; i++) await write(leader, `${i}`);
    await until(() => victim.machine.texts.length === 20, 'it has all');
    await victim.kill();
    const files = (await readdir(victim.dir)).filter((name) => name.endsWith('.log'));
    const log = join(victim.dir, files.sort().at(-1) as string);
    await truncate(log, Math.floor((await readFile(log)).length / 2));

    const refused = {
      code: 'SWM_DAMAGED',
      message:
        /The Raft log in .* is damaged: \d+ writes were made to it, and it has only the first/,
    };
    await assert.rejects(victim.start(INIT), refused);
    await assert.rejects(victim.start(INIT), refused);

    // Without it the others go on, and it comes back as somebody else, who promised nothing.
    const { raftId } = leader.api.members().find(({ nodeId }) => nodeId === victim.nodeId)!;
    await write(leader, 'goes on');
    await leader.api.removeMember(raftId);
    await victim.kill();
    await rm(victim.dir, { recursive: true });
    await rm(`${victim.dir}.mark`);
    await cluster.join(victim, INIT);
    await cluster.allVote(3);
    assert.notEqual(victim.api.raftId, raftId);
    await until(() => victim.machine.texts.length === 21, 'it has all again');
    assert.deepEqual(victim.machine.texts, other.machine.texts);
  });

  it('39: the only member applies nothing before it is on its own disk', async (t) => {
    const dir = join(await tempDir(t), 'log');
    const gate = new Gate();
    let manager = newManager(dir);
    await manager.start({ ...INIT, bootstrap: true }, KEYS, gate.openLogDb);
    await until(() => manager.api.isLeader, 'it leads');
    await write(manager, 'a');
    gate.close();
    const { committed } = manager.api.propose(Buffer.from('b'));
    let settled = false;
    committed.then(
      () => {
        settled = true;
      },
      () => undefined,
    );
    await until(() => gate.waiting === 1, 'it is being written');
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([settled, manager.machine.texts], [false, ['a']]);
    gate.fail();
    await manager.kill();
    manager = newManager(dir);
    await manager.start(INIT);
    await until(() => manager.api.isLeader, 'it leads again');
    assert.deepEqual(manager.machine.texts, ['a']);
    await manager.kill();
  });

  it('40: state and the index that it is of are stored as one', async (t) => {
    const dir = join(await tempDir(t), 'log');
    const texts = Array.from({ length: 30 }, (_, i) => `${i}`);
    const gate = new Gate((keys) => keys.includes('s/current'));
    let manager = newManager(dir);
    await manager.start({ ...OFTEN, bootstrap: true }, KEYS, gate.openLogDb);
    await until(() => manager.api.isLeader, 'it leads');
    // The chunks of the snapshot are there, its manifest is not.
    gate.close();
    await Promise.all(texts.map((text) => manager.api.propose(Buffer.from(text)).committed));
    await until(() => gate.waiting === 1, 'the manifest is being written');
    gate.fail();
    await manager.kill();

    manager = newManager(dir);
    await manager.start(OFTEN);
    assert.deepEqual([manager.machine.restores, manager.machine.texts], [0, texts]);
    // Then a snapshot, of which nothing may be applied again.
    await until(() => manager.api.isLeader, 'it leads again');
    await write(manager, 'more');
    await until(() => manager.api.stats().snapshotIndex > 30, 'a snapshot is taken');
    await manager.kill();
    manager = newManager(dir);
    await manager.start(OFTEN);
    // That the last write is committed it may have to find out again.
    await until(() => manager.api.isLeader, 'it leads once more');
    assert.deepEqual([manager.machine.restores, manager.machine.texts], [1, [...texts, 'more']]);
    await manager.kill();
  });

  it('45: who the members are is stored with the snapshot', async () => {
    cluster = await TestCluster.create(3, OFTEN);
    const leader = await cluster.leader();
    const [follower] = (await cluster.followers()) as [TestManager];
    for (let i = 0; i < 60; i++) await write(leader, `${i}`);
    // The entries by which they became members are gone.
    await until(() => follower.api.stats().firstIndex > 10, 'its log begins later');
    const members = follower.api.membership();
    await cluster.killAll();
    await follower.start(OFTEN);
    assert.deepEqual(follower.api.membership(), members);
    const voters = follower.api.members().filter(({ learner }) => !learner);
    assert.equal(voters.length, 3);
    // It knows that it is one of three, and so elects nobody alone.
    await assert.rejects(follower.api.readIndex(AbortSignal.timeout(3_000)));
    assert.equal(follower.api.isLeader, false);
  });

  it('46: an entry that is not committed yet is read under the old key, and sealed with the new', async () => {
    cluster = await TestCluster.create(2, OFTEN);
    const leader = await cluster.leader();
    const [follower] = (await cluster.followers()) as [TestManager];
    for (let i = 0; i < 30; i++) await write(leader, `${i}`);
    await until(() => leader.api.stats().snapshotIndex > 0, 'a snapshot is taken');
    await follower.kill();
    const { index: lastIndex, committed } = leader.api.propose(Buffer.from('alone'));
    committed.catch(() => undefined);
    await until(() => leader.api.stats().lastIndex === lastIndex, 'it is in the log');
    assert.ok(leader.api.stats().commitIndex < lastIndex);
    await leader.kill();

    // A crash in the midst of a rotation: some values have the one key, some the other.
    await leader.start(OFTEN, keyRing(2, 1));
    assert.equal(leader.api.stats().lastIndex, lastIndex);
    await leader.api.rotateKeys();
    await leader.kill();
    // Nothing needs the old one any more, the uncommitted entry least of all.
    await leader.start(OFTEN, keyRing(2));
    assert.equal(leader.api.stats().lastIndex, lastIndex);
    await follower.start(OFTEN);
    await until(() => follower.machine.texts.includes('alone'), 'the entry is committed');
    assert.equal(leader.machine.texts.filter((text) => text === 'alone').length, 1);
  });
});

/** Holds up synced batches, those with certain keys if so wished, and has them fail in the end. */
class Gate {
  readonly #concerns: (keys: readonly string[]) => boolean;
  #closed = false;
  #held: (() => void)[] = [];

  constructor(concerns: (keys: readonly string[]) => boolean = () => true) {
    this.#concerns = concerns;
  }

  get waiting(): number {
    return this.#held.length;
  }

  close(): void {
    this.#closed = true;
  }

  fail(): void {
    for (const release of this.#held.splice(0)) release();
  }

  readonly openLogDb = (dir: string): LogDb => {
    const db = levelLogDb(dir);
    return {
      ...db,
      batch: async (ops, options) => {
        const isHeld = this.#closed && options.sync && this.#concerns(ops.map(({ key }) => key));
        if (!isHeld) return db.batch(ops, options);
        await new Promise<void>((resolve) => {
          this.#held.push(resolve);
        });
        throw new Error('the process is gone');
      },
    };
  };
}
