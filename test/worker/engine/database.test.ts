import assert from 'node:assert/strict';
import { cp, readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Level } from 'level';
import { encodeRecord } from '../../../common/checksum.ts';
import { EngineDatabase } from '../../../worker/engine/database.ts';
import type { ContainerRecord } from '../../../worker/engine/record.ts';
import { tempDir } from '../../support/cleanup.ts';

const container = (id: string, name: string) => ({ id, name }) as unknown as ContainerRecord;

/** Three containers, one of which changed and one of which is gone again. */
async function filled(t: TestContext): Promise<string> {
  const path = join(await tempDir(t), 'engine.db');
  const database = new EngineDatabase({ path });
  await database.open();
  for (const id of ['a', 'b', 'c']) {
    await database.putContainer(container(id, id), { sync: true });
  }
  await database.deleteContainer('b');
  await database.putContainer(container('c', 'renamed'), { sync: false });
  await database.close();
  return path;
}

async function names(path: string): Promise<string[]> {
  const database = new EngineDatabase({ path });
  await database.open();
  try {
    return (await database.containers()).map(({ name }) => name);
  } finally {
    await database.close();
  }
}

test('what was put is there after a restart, what was deleted is not', async (t) => {
  assert.deepEqual(await names(await filled(t)), ['a', 'renamed']);
});

test('a database that lost its end is refused, and says what to do', async (t) => {
  const path = await filled(t);
  const log = (await readdir(path)).find((name) => name.endsWith('.log')) as string;
  await truncate(join(path, log), 300);
  await assert.rejects(names(path), (error: Error & { code: string; hint: string }) => {
    assert.equal(error.code, 'SWM_DAMAGED');
    assert.match(error.message, /engine\.db is damaged: 5 writes were made to it, and it has only/);
    assert.match(error.hint, /^Restore this directory\./);
    return true;
  });
});

test('a database that is gone is refused, one that is gone with its mark is a new one', async (t) => {
  const path = await filled(t);
  await rm(path, { recursive: true });
  await assert.rejects(names(path), /5 writes were made to it, and it is empty/);
  await rm(path, { recursive: true });
  await rm(`${path}.mark`);
  assert.deepEqual(await names(path), []);
});

test('a record that changed is named', async (t) => {
  const path = await filled(t);
  const level = new Level<string, Buffer>(path, { valueEncoding: 'buffer' });
  const record = (await level.get('container/a')) as Buffer;
  record[9]! ^= 1;
  await level.put('container/a', record);
  await level.close();
  await assert.rejects(names(path), /the record "container\/a" fails its checksum/);
});

test('a database with a file that cannot be read is refused', async (t) => {
  const path = await filled(t);
  const database = new EngineDatabase({ path });
  await database.open();
  await database.putContainer(container('d', 'd'), { sync: true });
  await database.close();
  const table = (await readdir(path)).find((name) => name.endsWith('.ldb')) as string;
  await truncate(join(path, table), 0);
  await assert.rejects(names(path), { code: 'SWM_DAMAGED', message: new RegExp(table) });
});

test('a database without CURRENT has all that it had', async (t) => {
  const path = await filled(t);
  await rm(join(path, 'CURRENT'));
  assert.deepEqual(await names(path), ['a', 'renamed']);
});

test('a record that is missing in the midst of others is noticed', async (t) => {
  const path = await filled(t);
  const level = new Level<string, Buffer>(path, { valueEncoding: 'buffer' });
  await level.del('container/a');
  await level.close();
  await assert.rejects(names(path), {
    code: 'SWM_DAMAGED',
    message: /records are missing, or older than they were/,
  });
});

test('a record that is older than the last write of it is noticed', async (t) => {
  const path = await filled(t);
  const level = new Level<string, Buffer>(path, { valueEncoding: 'buffer' });
  const older = encodeRecord('container/c', Buffer.from('{"id":"c","name":"c"}'));
  await level.put('container/c', older);
  await level.close();
  await assert.rejects(names(path), /records are missing, or older than they were/);
});

test('a second daemon is told that the database is open', async (t) => {
  const path = await filled(t);
  const database = new EngineDatabase({ path });
  await database.open();
  await assert.rejects(names(path), { code: 'SWM_CONFLICT' });
  await database.close();
});

test('an older copy of the database is refused', async (t) => {
  const path = await filled(t);
  const copy = `${path}.copy`;
  await cp(path, copy, { recursive: true });
  const database = new EngineDatabase({ path });
  await database.open();
  await database.putContainer(container('d', 'd'), { sync: true });
  await database.close();
  await rm(path, { recursive: true });
  await cp(copy, path, { recursive: true });
  await assert.rejects(names(path), /6 writes were made to it, and it has only the first 5/);
});
