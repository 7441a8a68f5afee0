import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { Level } from 'level';
import { EMPTY_CONF_STATE, type Entry, EntryType } from 'raft-ts';
import { isSwarmError } from '../../../common/errors.ts';
import { diskAt, IDENTITY, plain, read, run } from './log-fixture.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'log-disk-'));
});
after(() => rm(root, { recursive: true, force: true }));

function freshDir(): Promise<string> {
  return mkdtemp(join(root, 'log-'));
}

describe('the log on disk', () => {
  it('is nothing at first', async () => {
    assert.equal(await read(await freshDir()), undefined);
  });

  it('gives back entries and hard state', async () => {
    const dir = await freshDir();
    const disk = diskAt(dir);
    await disk.open();
    const hardState = { term: 3, vote: 7, commit: 2 };
    const entries = [...run(1, 3, 1), { term: 3, index: 4, type: EntryType.ConfChangeV2 }];
    await disk.write({ identity: IDENTITY, hardState, entries, prevTerm: 0, sync: true });
    await disk.close();
    const log = await read(dir);
    assert.deepEqual(log?.identity, IDENTITY);
    assert.deepEqual(log?.hardState, hardState);
    assert.deepEqual(plain(log?.entries ?? []), plain(entries));
    assert.equal(log?.entries[3]?.type, EntryType.ConfChangeV2);
  });

  it('is the log of a model after any sequence of appends, overwrites and compactions', async () => {
    const step = fc.record({
      back: fc.integer({ min: 0, max: 6 }),
      count: fc.integer({ min: 1, max: 5 }),
      compact: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
      reopen: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const dir = await freshDir();
        let disk = diskAt(dir);
        await disk.open();
        let model: Entry[] = [];
        let compacted = 0;
        let compactedTerm = 0;
        let term = 1;
        for (const { back, count, compact, reopen } of steps) {
          const last = compacted + model.length;
          const first = Math.max(compacted + 1, last + 1 - back);
          if (first <= last) term++;
          const prevTerm = model[first - compacted - 2]?.term ?? compactedTerm;
          const entries = run(first, count, term);
          const hardState = { term, vote: 0, commit: compacted };
          await disk.write({ identity: IDENTITY, hardState, entries, prevTerm, sync: false });
          model = [...model.slice(0, first - compacted - 1), ...entries];
          if (compact !== undefined && compact < model.length) {
            const index = compacted + compact;
            const at = model[compact - 1]?.term ?? compactedTerm;
            const confState = EMPTY_CONF_STATE;
            const membership = { members: [], removed: [] };
            const snapshot = { id: 'x', index, term: at, confState, membership };
            await disk.write({ snapshot: { ...snapshot, chunks: 0, bytes: 0 }, sync: false });
            await disk.compact(index);
            model = model.slice(compact);
            compacted = index;
            compactedTerm = at;
          }
          if (!reopen) continue;
          await disk.close();
          disk = diskAt(dir);
          const log = (await disk.open())!;
          const kept = log.entries.filter(({ index }) => index > compacted);
          assert.deepEqual(plain(kept), plain(model));
        }
        await disk.close();
        const log = await read(dir);
        assert.deepEqual(
          plain(log!.entries.filter(({ index }) => index > compacted)),
          plain(model),
        );
        await rm(dir, { recursive: true });
      }),
      { numRuns: 60 },
    );
  });
});

it('what an earlier removal left before a gap is passed over, if a snapshot covers it', async () => {
  const dir = await freshDir();
  const disk = diskAt(dir);
  await disk.open();
  for (let i = 0; i < 5; i++) {
    const hardState = { term: 1, vote: 0, commit: 2 * i };
    const prevTerm = i === 0 ? 0 : 1;
    const entries = run(1 + 2 * i, 2, 1);
    await disk.write({ identity: IDENTITY, hardState, entries, prevTerm, sync: true });
  }
  const state = { confState: EMPTY_CONF_STATE, membership: { members: [], removed: [] } };
  await disk.write({
    snapshot: { id: 'x', index: 6, term: 1, chunks: 0, bytes: 0, ...state },
    sync: true,
  });
  await disk.close();
  const db = new Level<string, Buffer>(dir, { valueEncoding: 'buffer' });
  await db.del('e/0000000000000003');
  await db.close();
  const again = diskAt(dir);
  assert.deepEqual(plain((await again.open())?.entries ?? []), plain(run(5, 6, 1)));
  await again.compact(6);
  await again.close();
  const left = new Level<string, Buffer>(dir, { valueEncoding: 'buffer' });
  assert.deepEqual(await left.keys({ gte: 'e/', lt: 'e0' }).all(), [
    'e/0000000000000007',
    'e/0000000000000009',
  ]);
  await left.close();
});

describe('a damaged log', () => {
  let dir: string;
  before(async () => {
    dir = await freshDir();
    const disk = diskAt(dir);
    await disk.open();
    for (let i = 0; i < 40; i++) {
      const hardState = { term: 1, vote: 0, commit: 3 * i };
      const entries = run(1 + 3 * i, 3, 1);
      const prevTerm = i === 0 ? 0 : 1;
      await disk.write({ identity: IDENTITY, hardState, entries, prevTerm, sync: true });
    }
    await disk.close();
  });

  async function logFile(at: string): Promise<string> {
    const name = (await readdir(at)).find((file) => file.endsWith('.log'));
    return join(at, name!);
  }

  it('is refused when it lost what was synced, wherever it was cut off', async () => {
    const whole = (await readFile(await logFile(dir))).length;
    // The end of the last record may be anything: its checksum is all that tells.
    const sizes = [0, 1, 7, whole >> 1, whole - 100, whole - 1];
    for (const size of sizes) {
      const copy = await copyWithMark();
      await truncate(await logFile(copy), size);
      const message = /40 writes were made to it, and it (is empty|has only the first \d+)/;
      await assert.rejects(read(copy), { code: 'SWM_DAMAGED', message });
      // Neither the refusal nor what LevelDB did at opening changed that.
      await assert.rejects(read(copy), { code: 'SWM_DAMAGED', message });
    }
  });

  for (const name of ['CURRENT', 'MANIFEST', '.log', 'everything']) {
    it(`is refused or repaired without ${name}`, async () => {
      const copy = await copyWithMark();
      for (const file of await readdir(copy)) {
        if (name === 'everything' || file.includes(name)) await rm(join(copy, file));
      }
      if (name === 'CURRENT') assert.equal((await read(copy))?.entries.length, 120);
      else await assert.rejects(read(copy), { code: 'SWM_DAMAGED' });
    });
  }

  it('is refused when a file cannot be read', async () => {
    const copy = await copyWithMark();
    // LevelDB makes a table of its log at the next start.
    await read(copy);
    const table = (await readdir(copy)).find((file) => file.endsWith('.ldb'));
    await truncate(join(copy, table!), 10);
    await assert.rejects(read(copy), { code: 'SWM_DAMAGED', message: new RegExp(table!) });
  });

  async function copyWithMark(): Promise<string> {
    const copy = await freshDir();
    await cp(dir, copy, { recursive: true });
    await cp(`${dir}.mark`, `${copy}.mark`);
    return copy;
  }

  it('loses no more than its torn tail in a power failure', async () => {
    const whole = (await readFile(await logFile(dir))).length;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole }), async (size) => {
        const copy = await freshDir();
        await cp(dir, copy, { recursive: true });
        await truncate(await logFile(copy), size);
        const log = await read(copy);
        const count = log?.entries.length ?? 0;
        assert.equal(count % 3, 0);
        assert.deepEqual(plain(log?.entries ?? []), plain(run(1, count, 1)));
        assert.ok(!log || log.hardState.commit === count - 3);
        await rm(copy, { recursive: true });
      }),
      { numRuns: 40 },
    );
  });

  it('gives what was written or an error, whatever byte is wrong', async () => {
    const bytes = await readFile(await logFile(dir));
    const flip = fc.record({
      at: fc.integer({ min: 0, max: bytes.length - 1 }),
      mask: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(flip, async ({ at, mask }) => {
        const copy = await freshDir();
        await cp(dir, copy, { recursive: true });
        const wrong = Buffer.from(bytes);
        wrong[at]! ^= mask;
        await writeFile(await logFile(copy), wrong);
        try {
          const log = await read(copy);
          const count = log?.entries.length ?? 0;
          assert.deepEqual(plain(log?.entries ?? []), plain(run(1, count, 1)));
        } catch (error) {
          assert.ok(isSwarmError(error, 'SWM_DAMAGED'), String(error));
          assert.ok(error.message.includes(copy));
          assert.ok(error.hint);
        }
        await rm(copy, { recursive: true });
      }),
      { numRuns: 40 },
    );
  });

  const damages: [string, (db: Level<string, Buffer>) => Promise<void>, RegExp][] = [
    [
      'a value that changed',
      async (db) => {
        const sealed = (await db.get('e/0000000000000031'))!;
        sealed[40]! ^= 1;
        await db.put('e/0000000000000031', sealed);
      },
      /"e\/0000000000000031" of the Raft log fails its checksum/,
    ],
    ['a missing value', (db) => db.del('e/0000000000000031'), /entries 31 to 33 .* are missing/],
    [
      'a value under the wrong name',
      async (db) => db.put('e/0000000000000031', (await db.get('e/0000000000000034'))!),
      /was not written by this manager/,
    ],
    ['a lost beginning', (db) => db.del('e/0000000000000001'), /entries 1 to 3 are missing/],
    [
      'a lost end',
      async (db) => {
        for (const first of [112, 115, 118]) await db.del(`e/0000000000000${first}`);
      },
      /ends at 111, but 117 was committed/,
    ],
    ['a lost hard state', (db) => db.del('hard'), /"hard" is missing/],
    ['a lost identity', (db) => db.del('meta'), /"meta" is missing/],
  ];
  for (const [what, damage, message] of damages) {
    it(`is refused: ${what}`, async () => {
      const copy = await freshDir();
      await cp(dir, copy, { recursive: true });
      const db = new Level<string, Buffer>(copy, { valueEncoding: 'buffer' });
      await damage(db);
      await db.close();
      await assert.rejects(read(copy), message);
    });
  }
});

it('a second process is told that the log is open', async () => {
  const dir = await freshDir();
  const disk = diskAt(dir);
  await disk.open();
  await assert.rejects(diskAt(dir).open(), { code: 'SWM_CONFLICT' });
  await disk.close();
});
