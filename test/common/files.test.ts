import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { machineFiles } from '../../common/files.ts';
import { nextTurn } from '../../common/turns.ts';
import { tempDir } from '../support/cleanup.ts';

test('a file is written as a whole, read and removed', async (t) => {
  const dir = await tempDir(t);
  const path = join(dir, 'a file');
  assert.equal(await machineFiles.read(path), undefined);
  assert.equal(await machineFiles.exists(path), false);
  await machineFiles.write(path, 'first, and long', 0o600);
  await machineFiles.write(path, 'second', 0o640);
  assert.equal(await machineFiles.read(path), 'second');
  assert.equal(await machineFiles.exists(path), true);
  assert.equal((await stat(path)).mode & 0o777, 0o640);
  await machineFiles.remove(path);
  assert.equal(await machineFiles.exists(path), false);
  await machineFiles.remove(path);
});

test('a folder is there, and is removed with all that is in it', async (t) => {
  const dir = join(await tempDir(t), 'folder');
  await mkdir(join(dir, 'inner'), { recursive: true });
  await writeFile(join(dir, 'inner', 'x'), 'x');
  assert.equal(await machineFiles.exists(dir), true);
  await machineFiles.remove(dir);
  assert.equal(await machineFiles.exists(dir), false);
});

// A manager that finds its keys without their log, or its log without the keys, is damaged.
test('a folder is gone as a whole, whenever one looks', async (t) => {
  const dir = join(await tempDir(t), 'folder');
  const names = Array.from({ length: 500 }, (_, i) => `file ${i}`);
  await mkdir(dir);
  for (const name of names) await writeFile(join(dir, name), 'x');
  const look = () => {
    try {
      return readdirSync(dir).length;
    } catch {
      return 0;
    }
  };
  const seen = new Set<number>();
  let isOver = false;
  const removed = machineFiles.remove(dir).then(() => {
    isOver = true;
  });
  while (!isOver) {
    seen.add(look());
    await nextTurn();
  }
  await removed;
  seen.add(look());
  assert.deepEqual([...seen], [names.length, 0]);
});

test('what a crash left of a removal goes with the next one', async (t) => {
  const parent = await tempDir(t);
  const dir = join(parent, 'folder');
  await mkdir(`${dir}.removed/inner`, { recursive: true });
  await machineFiles.remove(dir);
  assert.deepEqual(await readdir(parent), []);
  await mkdir(`${dir}.removed/inner`, { recursive: true });
  await mkdir(dir);
  await machineFiles.remove(dir);
  assert.deepEqual(await readdir(parent), []);
});

test('what cannot be looked at is not taken for missing', async (t) => {
  const dir = await tempDir(t);
  const [a, b] = [join(dir, 'a'), join(dir, 'b')];
  await symlink(a, b);
  await symlink(b, a);
  await assert.rejects(machineFiles.exists(a), { code: 'ELOOP' });
  await assert.rejects(machineFiles.read(a), { code: 'ELOOP' });
});
