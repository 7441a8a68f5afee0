import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Level } from 'level';
import { EMPTY_CONF_STATE } from 'raft-ts';
import { systemRandom } from '../../../common/random.ts';
import { levelLogDb, type OpenLogDb } from '../../../manager/consensus/log-db.ts';
import { LogDisk } from '../../../manager/consensus/log-disk.ts';
import { Vault } from '../../../manager/consensus/vault.ts';
import { tempDir } from '../../support/cleanup.ts';
import { keyRing } from './harness.ts';
import { diskAt, entry, IDENTITY, plain, read, run } from './log-fixture.ts';

describe('the keys of the log', () => {
  it('are needed to read', async (t) => {
    const dir = await tempDir(t);
    const disk = diskAt(dir);
    await disk.open();
    const hardState = { term: 1, vote: 0, commit: 0 };
    await disk.write({ identity: IDENTITY, hardState, sync: true });
    await disk.close();
    await assert.rejects(read(dir, keyRing(2)), { code: 'SWM_LOCKED' });
  });

  it('can be replaced, and what they sealed does not stay', async (t) => {
    const dir = await tempDir(t);
    let disk = diskAt(dir, keyRing(1));
    await disk.open();
    const hardState = { term: 1, vote: 0, commit: 3 };
    await disk.write({ identity: IDENTITY, hardState, entries: run(1, 3, 1), sync: true });
    await disk.putChunk('x', 0, Buffer.from('a chunk'));
    const confState = EMPTY_CONF_STATE;
    const membership = { members: [], removed: [] };
    const place = { id: 'x', index: 1, term: 1, chunks: 1, bytes: 7 };
    await disk.write({ snapshot: { ...place, confState, membership }, sync: true });
    await disk.close();
    const db = new Level<string, Buffer>(dir, { valueEncoding: 'buffer' });
    const old = (await db.values().all()).map((sealed) => sealed.subarray(9));
    await db.close();

    disk = diskAt(dir, keyRing(2, 1));
    await disk.open();
    await disk.write({ entries: run(4, 3, 1), prevTerm: 1, sync: true });
    await disk.reseal();
    await disk.close();
    for (const name of await readdir(dir)) {
      const content = await readFile(join(dir, name));
      assert.ok(!old.some((sealed) => content.includes(sealed)), name);
    }
    disk = diskAt(dir, keyRing(2));
    const log = await disk.open();
    assert.deepEqual(plain(log?.entries ?? []), plain(run(1, 6, 1)));
    assert.equal((await disk.getChunk('x', 0)).toString(), 'a chunk');
    await disk.close();
  });

  // Found by seed 32874 of the simulator: a manager with a slow disk never started again.
  it('are needed by no chunk that was on its way when they were replaced', async (t) => {
    const dir = await tempDir(t);
    const [old, next] = keyRing(1, 2).all as [Uint8Array, Uint8Array];
    const keys = { current: old, all: [old] };
    const order: string[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const openLogDb: OpenLogDb = (at) => {
      const db = levelLogDb(at);
      return {
        ...db,
        put: async (...args) => {
          await held;
          await db.put(...args);
          order.push('written');
        },
        keys: (range) => {
          if (!range) order.push('looked for');
          return db.keys(range);
        },
      };
    };
    const vault = new Vault({ keys, random: systemRandom });
    const disk = new LogDisk({ vault, openLogDb }, { dir });
    await disk.open();
    await disk.write({
      identity: IDENTITY,
      hardState: { term: 1, vote: 0, commit: 0 },
      sync: true,
    });
    const written = disk.putChunk('x', 0, Buffer.from('a chunk'));
    Object.assign(keys, { current: next, all: [next, old] });
    const resealed = disk.reseal();
    release();
    await Promise.all([written, resealed]);
    assert.deepEqual(order.slice(0, 2), ['written', 'looked for']);
    keys.all = [next];
    assert.equal((await disk.getChunk('x', 0)).toString(), 'a chunk');
    await disk.close();
  });

  it('hide the content', async (t) => {
    const dir = await tempDir(t);
    const disk = diskAt(dir);
    await disk.open();
    const hardState = { term: 1, vote: 0, commit: 0 };
    const entries = [entry(1, 1, 'a very secret text')];
    await disk.write({ identity: IDENTITY, hardState, entries, sync: true });
    await disk.close();
    for (const name of await readdir(dir)) {
      assert.ok(!(await readFile(join(dir, name))).includes('very secret'), name);
    }
  });
});
