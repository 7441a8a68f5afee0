import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
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
