import assert from 'node:assert/strict';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { KeyFile } from '../../../manager/ca/key-file.ts';
import { formatUnlockKey, parseUnlockKey } from '../../../manager/ca/unlock-key.ts';
import { tempDir } from '../../support/cleanup.ts';
import { seededRandom } from '../../support/seeded-random.ts';

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

test('locking takes new secrets, and keeps the old keys until they are not needed', async (t) => {
  const path = join(await tempDir(t), 'keys.json');
  const file = await KeyFile.open({ random }, { path });
  const { current: old, passphrase } = file;
  assert.equal(file.isRotating, false);
  await file.lock(unlockKey);
  assert.notDeepEqual(file.current, old);
  assert.notEqual(file.passphrase, passphrase);
  assert(file.isRotating);
  const again = await KeyFile.open({ random }, { path, unlockKey });
  assert.deepEqual(
    again.all.map((key) => Buffer.from(key)),
    [file.current, old].map((key) => Buffer.from(key)),
  );
  await again.forgetOldKeys();
  assert.equal(again.isRotating, false);
  const last = await KeyFile.open({ random }, { path, unlockKey });
  assert.deepEqual(last.all, [Buffer.from(file.current)]);
  assert.equal(last.passphrase, file.passphrase);
});

test('a locked file opens with its unlock key only', async (t) => {
  const path = join(await tempDir(t), 'keys.json');
  const file = await KeyFile.open({ random }, { path });
  const key = Buffer.from(file.current);
  await file.wrap(unlockKey);
  const text = await readFile(path, 'utf8');
  assert(!text.includes(key.toString('base64')) && !text.includes(file.passphrase));
  const unlocked = await KeyFile.open({ random }, { path, unlockKey });
  assert.deepEqual(Buffer.from(unlocked.current), key);
  assert.deepEqual(unlocked.unlockKey, unlockKey);
  await assert.rejects(KeyFile.open({ random }, { path }), { code: 'SWM_LOCKED' });
  const other = Buffer.alloc(32, 8);
  const refusal = {
    code: 'SWM_UNAUTHENTICATED',
    message: 'swarm could not be unlocked: invalid key provided',
  };
  await assert.rejects(KeyFile.open({ random }, { path, unlockKey: other }), refusal);
  await unlocked.wrap(other);
  await assert.rejects(KeyFile.open({ random }, { path, unlockKey }), refusal);
  await unlocked.wrap(undefined);
  const open = await KeyFile.open({ random }, { path, unlockKey: other });
  assert.equal(open.unlockKey, undefined);
  assert.deepEqual(Buffer.from(open.current), key);
});

test('keys count only once they are on disk', async (t) => {
  const directory = join(await tempDir(t), 'raft');
  const file = await KeyFile.open({ random }, { path: join(directory, 'keys.json') });
  const { current, passphrase } = file;
  await rm(directory, { recursive: true });
  await writeFile(directory, 'no folder');
  await assert.rejects(file.lock(unlockKey));
  assert.deepEqual(
    [file.current, file.passphrase, file.unlockKey],
    [current, passphrase, undefined],
  );
});

test('unlock keys are told from anything else', () => {
  const text = formatUnlockKey(unlockKey);
  assert.match(text, /^SWMKEY-1-[A-Za-z0-9+/]{43}$/);
  assert.deepEqual(parseUnlockKey(` ${text}\n`), Buffer.from(unlockKey));
  for (const wrong of ['', 'SWMKEY-1-', text.slice(0, -1), `${text}x`, text.replace('1', '2')]) {
    assert.throws(() => parseUnlockKey(wrong), { code: 'SWM_UNAUTHENTICATED' }, wrong);
  }
});

test('a file that is something else is named in the error', async (t) => {
  const path = join(await tempDir(t), 'keys.json');
  await writeFile(path, 'hello');
  await assert.rejects(KeyFile.open({ random }, { path }), {
    code: 'SWM_DAMAGED',
    message: `${path} is damaged: it is cut short or is no JSON`,
  });
});
