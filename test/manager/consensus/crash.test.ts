import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { extname, join } from 'node:path';
import { it } from 'node:test';
import { tempDir } from '../../support/cleanup.ts';

/** Beside this file, and compiled or not as this is. */
const CHILD = join(import.meta.dirname, `crash-child${extname(import.meta.filename)}`);
const ROUNDS = 5;

/** Kills the child once it has written `count` numbers more. */
async function runAndKill(
  dir: string,
  count: number,
): Promise<{ found: string[]; written: number }> {
  const child: ChildProcess = fork(CHILD, [dir]);
  const over = once(child, 'exit');
  let found: string[] | undefined;
  let written = 0;
  child.on('message', (message: { found?: string[]; written?: number }) => {
    found ??= message.found;
    written = message.written ?? message.found?.length ?? 0;
    if (found && written >= found.length + count) child.kill('SIGKILL');
  });
  await over;
  assert.ok(found, 'the child came up');
  return { found, written };
}

it('a manager that is killed while it writes has every acknowledged entry, and no hole', async (t) => {
  const dir = await tempDir(t);
  let acknowledged = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const { found, written } = await runAndKill(dir, 37 + 61 * round);
    assert.ok(found.length >= acknowledged, `${acknowledged} acknowledged, ${found.length} found`);
    assert.deepEqual(
      found,
      found.map((_, i) => `${i}`),
    );
    acknowledged = written;
  }
});
