import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { tempDir } from '../support/cleanup.ts';
import { freeAddr } from '../support/loopback.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { Catalogue } from './catalogue.ts';
import { GroupLives } from './group-life.ts';
import { KillPoints } from './kill-points.ts';
import { Ledger } from './ledger.ts';
import { ManagerLives } from './manager-life.ts';
import { losePower } from './power-loss.ts';

// `npm run crash` has hundreds of them.
const LIVES = 3;

test('a manager that is killed at its disk operations has what it acknowledged', async (t) => {
  const components = { random: seededRandom(3), catalogue: new Catalogue() };
  const init = { dir: join(await tempDir(t), 'node'), addr: await freeAddr() };
  const lives = new ManagerLives(components, init);
  for (let i = 0; i < LIVES; i++) await lives.next();
  await lives.last();
  assert.ok(lives.acknowledged > 5);
});

test('one of three that is killed comes back as the one that it was', async (t) => {
  const components = { random: seededRandom(4), catalogue: new Catalogue() };
  const init = { dir: join(await tempDir(t), 'node'), addr: await freeAddr() };
  const lives = await GroupLives.create(components, init);
  try {
    for (let i = 0; i < LIVES; i++) await lives.next();
    await lives.last();
    assert.ok(lives.acknowledged > 50);
  } finally {
    await lives.stop();
  }
});

describe('what judges the lives', () => {
  const ledger = () => {
    const made = new Ledger();
    for (const name of ['done', 'gone']) {
      made.take({ type: 'try', name, present: true });
      made.take({ type: 'done', name, present: true });
    }
    made.take({ type: 'try', name: 'gone', present: false });
    made.take({ type: 'done', name: 'gone', present: false });
    made.take({ type: 'try', name: 'open', present: true });
    return made;
  };

  test('takes what is possible, and holds on to it', () => {
    ledger().check(['done']);
    const once = ledger();
    once.check(['done', 'open']);
    assert.throws(() => once.check(['done']), /open was acknowledged, and is gone/);
  });

  test('does not take what is not', () => {
    assert.throws(() => ledger().check(['open']), /done was acknowledged, and is gone/);
    assert.throws(() => ledger().check(['done', 'gone']), /gone is there, and was not to be/);
    assert.throws(() => ledger().check(['done', 'never']), /never is there, and was not to be/);
    assert.throws(() => ledger().check(['done', 'done']), /twice/);
  });

  test('a point that is not reached ends nobody, and every operation is counted', async () => {
    const points = new KillPoints({ kind: 'batch', stage: 'before', nth: 3 });
    for (let i = 0; i < 2; i++) assert.equal(await points.around('batch', async () => i), i);
    assert.deepEqual([...points.counts], [['batch', 2]]);
  });

  test('a power failure takes nothing that was synced', async (t) => {
    const dir = join(await tempDir(t), 'log');
    mkdirSync(dir);
    const path = join(dir, '000003.log');
    for (let seed = 0; seed < 50; seed++) {
      writeFileSync(path, 'synced, and the rest');
      const before = { synced: new Map([['000003.log', 6]]), mark: undefined };
      losePower(dir, before, seededRandom(seed));
      assert.equal(readFileSync(path).toString('latin1').slice(0, 6), 'synced');
    }
  });
});
