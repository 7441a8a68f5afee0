import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Level } from 'level';
import { silentLogger } from '../../../common/logger.ts';
import { TaskState, TaskStatus } from '../../../proto/gen/swarm/types.ts';
import { LevelTaskDb } from '../../../worker/agent/task-db.ts';
import { task } from '../../manager/dispatcher/objects.ts';
import { tempDir } from '../../support/cleanup.ts';

test('tasks and their progress are there after a restart, removed ones are not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'task-db-'));
  try {
    const before = await LevelTaskDb.open(join(folder, 'tasks'), { logger: silentLogger });
    for (const id of ['t1', 't2', 't3']) await before.putTask(task(id, 'n1'));
    const running = TaskStatus.fromPartial({
      state: TaskState.RUNNING,
      timestamp: new Date(1_000),
    });
    await before.putStatus('t1', running);
    await before.putStatus('t3', running);
    await before.remove('t3');
    await before.close();

    const after = await LevelTaskDb.open(join(folder, 'tasks'), { logger: silentLogger });
    const records = await after.load();
    assert.deepEqual(
      records.map(({ task: { id }, status }) => [id, status.state]),
      [
        ['t1', TaskState.RUNNING],
        ['t2', TaskState.ASSIGNED],
      ],
    );
    assert.deepEqual(records[0]?.task, task('t1', 'n1'));
    assert.deepEqual(records[0]?.status, running);
    await after.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('what could not be stored on a full disk spoils nothing of what is stored after it', {
  skip: process.getuid?.() === 0 ? false : 'mounting a small file system takes root',
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'task-db-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]);
  try {
    await writeFile(join(folder, 'ballast'), Buffer.alloc(3 * 1024 * 1024));
    const db = await LevelTaskDb.open(join(folder, 'tasks'), { logger: silentLogger });
    const large = (id: string) => ({ ...task(id, 'n1'), serviceId: 'x'.repeat(30_000) });
    const stored: string[] = [];
    const fill = async () => {
      for (let i = 0; ; i++) {
        await db.putTask(large(`a${i}`));
        stored.push(`a${i}`);
      }
    };
    await assert.rejects(fill(), /No space left on device/);
    await rm(join(folder, 'ballast'));
    for (const id of ['b1', 'b2', 'b3']) await db.putTask(large(id));
    await db.close();

    const again = await LevelTaskDb.open(join(folder, 'tasks'), { logger: silentLogger });
    const found = new Set((await again.load()).map((record) => record.task.id));
    assert.deepEqual(
      [...stored, 'b1', 'b2', 'b3'].filter((id) => !found.has(id)),
      [],
    );
    await again.close();
  } finally {
    execFileSync('umount', [folder]);
    await rm(folder, { recursive: true });
  }
});

for (const damage of ['MANIFEST', 'CURRENT']) {
  test(`tasks that cannot be read (${damage}) are put aside: the managers have them`, async (t) => {
    const path = join(await tempDir(t), 'tasks');
    const before = await LevelTaskDb.open(path, { logger: silentLogger });
    await before.putTask(task('t1', 'n1'));
    await before.close();
    const names = (await readdir(path)).filter((name) => name.startsWith('MANIFEST'));
    await writeFile(join(path, names[0] as string), 'no manifest');
    if (damage === 'CURRENT') await writeFile(join(path, 'MANIFEST-000099'), '');
    if (damage === 'CURRENT') await writeFile(join(path, 'CURRENT'), 'nothing');

    const after = await LevelTaskDb.open(path, { logger: silentLogger });
    assert.deepEqual(await after.load(), []);
    await after.close();
    assert((await readdir(`${path}.damaged`)).includes('CURRENT'));
  });
}

test('a task with a damaged record is left out whole', async (t) => {
  const path = join(await tempDir(t), 'tasks');
  const before = await LevelTaskDb.open(path, { logger: silentLogger });
  for (const id of ['t1', 't2', 't3']) {
    await before.putTask(task(id, 'n1'));
    await before.putStatus(id, TaskStatus.fromPartial({ state: TaskState.RUNNING }));
  }
  await before.close();
  const level = new Level<string, Buffer>(path, { valueEncoding: 'buffer' });
  for (const key of ['task/t1', 'status/t2']) {
    const record = (await level.get(key)) as Buffer;
    record[record.length - 1]! ^= 4;
    await level.put(key, record);
  }
  await level.close();

  const after = await LevelTaskDb.open(path, { logger: silentLogger });
  assert.deepEqual(
    (await after.load()).map((record) => record.task.id),
    ['t3'],
  );
  await after.close();
});

test('tasks in a file that cannot be read are put aside, too', async (t) => {
  const path = join(await tempDir(t), 'tasks');
  for (const id of ['t1', 't2']) {
    const db = await LevelTaskDb.open(path, { logger: silentLogger });
    await db.putTask(task(id, 'n1'));
    await db.close();
  }
  const table = (await readdir(path)).find((name) => name.endsWith('.ldb')) as string;
  await writeFile(join(path, table), '');
  const after = await LevelTaskDb.open(path, { logger: silentLogger });
  assert.deepEqual(await after.load(), []);
  await after.close();
});
