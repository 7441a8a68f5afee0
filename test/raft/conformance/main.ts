/**
 * Runs every data-driven file (`*.txt`) below the given folders:
 *
 *     main.ts [--rewrite] [--strict] [DIR...]
 *
 * Prints the failing files with the difference, and at the end `N passed, M failed`, counting files; the
 * exit code is 1 if one failed, or there were none. Files in a folder that have no command in them are named,
 * and not counted. `--strict` prints differences of log lines too; they are never failures. `--rewrite` makes
 * the output of today the expected one. Without folders it runs the files of etcd-io/raft if they are here,
 * else those of this repository.
 */

import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { isDataFile, rewriteDataFile } from './data-file.ts';
import { type FileResult, runDataFile } from './run-file.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const REFERENCE = resolve(ROOT, '../shared/data/etcd-raft');
const OPTIONS = ['--rewrite', '--strict'];
const OWN = resolve(ROOT, 'manager/raft/testdata');

main(process.argv.slice(2));

function main(argv: readonly string[]): void {
  const options = new Set(argv.filter((arg) => arg.startsWith('--')));
  const given = argv.filter((arg) => !arg.startsWith('--')).map(placeOf);
  const problem = problemWith(options, given);
  if (problem !== undefined) {
    console.error(problem);
    process.exitCode = 1;
    return;
  }
  const folders = given.length > 0 ? given : defaultFolders();
  const files = [...new Set(folders.flatMap((path) => dataFilesBelow(path, [])))];
  let failed = 0;
  let exact = 0;
  for (const file of files) {
    const result = runOne(file, options);
    if (result.failures.length > 0) failed++;
    else if (result.wordings.length === 0) exact++;
  }
  const passed = files.length - failed;
  console.log(`strict (log lines included): ${exact} of ${files.length} files identical`);
  console.log(`${passed} passed, ${failed} failed`);
  if (failed > 0 || files.length === 0) process.exitCode = 1;
}

/** npm runs it in the root of the repository, and tells where it was called. */
function placeOf(path: string): string {
  const there = resolve(process.env['INIT_CWD'] ?? '.', path);
  return existsSync(there) ? there : resolve(path);
}

function problemWith(options: ReadonlySet<string>, given: readonly string[]): string | undefined {
  const unknown = [...options].find((option) => !OPTIONS.includes(option));
  if (unknown !== undefined) return `unknown option ${unknown}: wanted ${OPTIONS.join(' or ')}`;
  const missing = given.find((path) => !existsSync(path));
  return missing === undefined ? undefined : `no such file or folder: ${missing}`;
}

function defaultFolders(): string[] {
  if (existsSync(REFERENCE)) return [REFERENCE];
  console.log(`no ${relative(ROOT, REFERENCE)} here: running the files of this repository only`);
  return [OWN];
}

/** Follows links, except into a folder it is in. */
function dataFilesBelow(path: string, folders: readonly string[]): string[] {
  if (statSync(path).isFile()) return [path];
  const real = realpathSync(path);
  if (folders.includes(real)) return [];
  return readdirSync(path)
    .sort()
    .flatMap((name) => {
      const below = join(path, name);
      const found = statSync(below, { throwIfNoEntry: false });
      if (found?.isDirectory()) return dataFilesBelow(below, [...folders, real]);
      return found?.isFile() && name.endsWith('.txt') && hasCommands(below) ? [below] : [];
    });
}

function hasCommands(file: string): boolean {
  const has = isDataFile(readFileSync(file, 'utf8'));
  if (!has) console.log(`not counted, for there is no command in it: ${file}\n`);
  return has;
}

function runOne(file: string, options: ReadonlySet<string>): FileResult {
  const text = readFileSync(file, 'utf8');
  const result = parseAndRun(text);
  if (options.has('--rewrite') && result.commands.length > 0) {
    const rewritten = rewriteDataFile(text, result.commands, result.outputs);
    if (rewritten !== text) writeFileSync(file, rewritten);
    return { ...result, failures: [], wordings: [] };
  }
  for (const failure of result.failures) console.log(`FAIL ${file}, ${failure}\n`);
  if (options.has('--strict')) {
    for (const wording of result.wordings) console.log(`LOG LINES ${file}, ${wording}\n`);
  }
  return result;
}

function parseAndRun(text: string): FileResult {
  try {
    return runDataFile(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { commands: [], outputs: [], failures: [reason], wordings: [] };
  }
}
