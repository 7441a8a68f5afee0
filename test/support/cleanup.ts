import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

type Undo = () => unknown;

const undos = new WeakMap<TestContext, Undo[]>();

/** Has `undo` called when the test is over. Unlike with `t.after`, what came last is undone first. */
export function onEnd(t: TestContext, undo: Undo): void {
  const known = undos.get(t);
  if (known) return void known.push(undo);
  const stack = [undo];
  undos.set(t, stack);
  t.after(() => undoAll(stack));
}

/** A new directory, removed with the test after everything in it was stopped. */
export async function tempDir(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'swarm-test-'));
  onEnd(t, () => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function undoAll(stack: Undo[]): Promise<void> {
  const failures: unknown[] = [];
  for (let undo = stack.pop(); undo; undo = stack.pop()) {
    try {
      await undo();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
