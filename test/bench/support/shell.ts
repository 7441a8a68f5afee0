import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What the command printed; rejects when it fails. */
export async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 1 << 26 });
  return stdout;
}
