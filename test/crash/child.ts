import { fork } from 'node:child_process';
import { once } from 'node:events';

/** A child that does not end by itself has failed. */
const LIFE_LIMIT_MS = 120_000;

/** Runs `program` with a task until it is killed, as it is to be; throws when it ends otherwise. */
export async function runToEnd(program: string, taskPath: string): Promise<void> {
  const child = fork(program, [taskPath], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let errors = '';
  child.stderr?.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  const limit = setTimeout(() => child.kill('SIGABRT'), LIFE_LIMIT_MS);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  clearTimeout(limit);
  if (signal !== 'SIGKILL') throw new Error(`it ended with ${signal ?? code}:\n${errors}`);
}
