import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { WriteMark } from '../../common/write-mark.ts';
import { tempDir } from '../support/cleanup.ts';

async function markOf(t: TestContext, ...syncs: boolean[]) {
  const path = join(await tempDir(t), 'db.mark');
  const mark = new WriteMark(path);
  await mark.open(undefined);
  const counts: Buffer[] = [];
  for (const sync of syncs) {
    counts.push(mark.next());
    mark.wrote({ sync });
  }
  await mark.close();
  return { path, counts };
}

test('a database that has what it had is taken', async (t) => {
  const { path, counts } = await markOf(t, true, true, true);
  const again = new WriteMark(path);
  await again.open(counts[2]);
  const next = again.next();
  again.wrote({ sync: true });
  await again.close();
  await new WriteMark(path).open(next);
});

test('a database that is an older one is not, nor an empty one', async (t) => {
  const { path, counts } = await markOf(t, true, true, true);
  const older = { message: '3 writes were made to it, and it has only the first 2' };
  await assert.rejects(new WriteMark(path).open(counts[1]), older);
  const empty = { message: '3 writes were made to it, and it is empty' };
  await assert.rejects(new WriteMark(path).open(undefined), empty);
});

test('a database that is newer than its mark is taken: nobody waited for the mark', async (t) => {
  const { path, counts } = await markOf(t, true, true);
  const mark = await readFile(path);
  const later = new WriteMark(path);
  await later.open(counts[1]);
  const count = later.next();
  later.wrote({ sync: true });
  await later.close();
  await writeFile(path, mark);
  await new WriteMark(path).open(count);
});

test('what was not synced counts until the machine starts anew', async (t) => {
  const { path, counts } = await markOf(t, true, true, false, false);
  await assert.rejects(new WriteMark(path).open(counts[1]), /4 writes were made to it/);
  const text = await readFile(path, 'latin1');
  const rebooted = await import('../../common/checksum.ts').then(({ checksumOf }) => {
    const body = `${text.slice(0, 34)}00000000-0000-4000-8000-000000000000`;
    return `${body} ${checksumOf(body)}\n`;
  });
  await writeFile(path, rebooted);
  await assert.rejects(new WriteMark(path).open(counts[0]), /2 writes were made to it/);
  await new WriteMark(path).open(counts[1]);
});

test('a mark that is missing or damaged is made anew', async (t) => {
  const { path, counts } = await markOf(t, true, true);
  const whole = await readFile(path, 'latin1');
  for (const damage of [undefined, '', whole.slice(0, -1), whole.replace('2', '3')]) {
    if (damage === undefined) await rm(path);
    else await writeFile(path, damage);
    const mark = new WriteMark(path);
    await mark.open(counts[1]);
    await mark.close();
    await assert.rejects(new WriteMark(path).open(counts[0]), /2 writes were made to it/);
  }
});

test('a count that is not readable is no count', async (t) => {
  const { path, counts } = await markOf(t, true);
  const wrong = Buffer.from(counts[0] as Buffer);
  wrong[3] = 0x31;
  await assert.rejects(new WriteMark(path).open(wrong), /the count of its writes is not readable/);
});
