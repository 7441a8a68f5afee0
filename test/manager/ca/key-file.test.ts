import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { KeyFile } from '../../../manager/ca/key-file.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { tempDir } from './fixture.ts';

const random = seededRandom(1);
const unlockKey = Buffer.alloc(32, 9);

test('a new file has one key, readable by its owner only, and keeps it', async (t) => {
  const path = join(await tempDir(t), 'raft', 'keys.json');
  const file = await KeyFile.open({ random }, { path });
  assert.equal(file.current.length, 32);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const again = await KeyFile.open({ random }, { path });
  assert.deepEqual(Buffer.from(again.current), Buffer.from(file.current));
});

test('rotation puts a new key first and keeps the old ones', async (t) => {
  const path = join(await tempDir(t), 'keys.json');
  const file = await KeyFile.open({ random }, { path });
  const old = file.current;
  await file.rotate();
  assert.notDeepEqual(file.current, old);
  const again = await KeyFile.open({ random }, { path });
  assert.deepEqual(
    again.all.map((key) => Buffer.from(key)),
    [file.current, old].map((key) => Buffer.from(key)),
  );
});

test('a locked file opens with its unlock key only', async (t) => {
  const path = join(await tempDir(t), 'keys.json');
  const file = await KeyFile.open({ random }, { path });
  const key = Buffer.from(file.current);
  await file.save(unlockKey);
  assert(!(await readFile(path, 'utf8')).includes(key.toString('base64')));
  const unlocked = await KeyFile.open({ random }, { path, unlockKey });
  assert.deepEqual(Buffer.from(unlocked.current), key);
  await assert.rejects(KeyFile.open({ random }, { path }), { code: 'SWM_LOCKED' });
  await assert.rejects(KeyFile.open({ random }, { path, unlockKey: Buffer.alloc(32, 8) }), {
    message: 'swarm could not be unlocked: invalid key provided',
  });
});

test('a file that is something else is named in the error', async (t) => {
  const path = join(await tempDir(t), 'keys.json');
  await writeFile(path, 'hello');
  await assert.rejects(KeyFile.open({ random }, { path }), {
    code: 'SWM_INTERNAL',
    message: `${path} is not a key file of format 1`,
  });
});
