import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TaskState, TaskStatus } from '../../../proto/gen/swarm/types.ts';
import { LevelTaskDb } from '../../../worker/agent/task-db.ts';
import { task } from '../../manager/dispatcher/objects.ts';

test('tasks and their progress are there after a restart, removed ones are not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'task-db-'));
  try {
    const before = await LevelTaskDb.open(join(folder, 'tasks'));
    for (const id of ['t1', 't2', 't3']) await before.putTask(task(id, 'n1'));
    const running = TaskStatus.fromPartial({
      state: TaskState.RUNNING,
      timestamp: new Date(1_000),
    });
    await before.putStatus('t1', running);
    await before.putStatus('t3', running);
    await before.remove('t3');
    await before.close();

    const after = await LevelTaskDb.open(join(folder, 'tasks'));
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
    const db = await LevelTaskDb.open(join(folder, 'tasks'));
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

    const again = await LevelTaskDb.open(join(folder, 'tasks'));
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
