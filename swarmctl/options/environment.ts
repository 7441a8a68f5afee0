import { readFileSync } from 'node:fs';
import { CliError } from '../cli-error.ts';

/**
 * `--env-file` and `--env` as a container's environment, later ones over earlier ones. A name
 * without a value takes the caller's, if there is one.
 */
export function environment(
  files: readonly string[],
  entries: readonly string[],
  env: NodeJS.ProcessEnv,
): string[] {
  const variables = new Map<string, string>();
  const all = [...files.flatMap((path) => readLines(path, '--env-file')), ...entries];
  for (const entry of all) {
    const name = entry.split('=', 1)[0] as string;
    if (name === '' || /\s/.test(name)) {
      throw new CliError(`invalid environment variable: ${entry}`, 125);
    }
    const value = entry.includes('=') ? entry.slice(name.length + 1) : env[name];
    if (value !== undefined) variables.set(name, `${name}=${value}`);
  }
  return [...variables.values()];
}

/** Lines of a file of variables or labels: without blank ones and comments. */
export function readLines(path: string, option: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    throw new CliError(`cannot read ${option} ${path}: ${(error as Error).message}`, 125);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trimStart());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}
