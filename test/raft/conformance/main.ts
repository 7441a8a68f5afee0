/**
 * Runs every data-driven file (`*.txt`) below the given folders:
 *
 *     main.ts [--rewrite] [--strict] [DIR...]
 *
 * Prints the failing files with the difference, and at the end `N passed, M failed`, counting files.
 * `--strict` prints differences of log lines too; they are never failures. `--rewrite` makes the output
 * of today the expected one.
 */

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { rewriteDataFile } from './data-file.ts';
import { type FileResult, runDataFile } from './run-file.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const REFERENCE = resolve(ROOT, '../shared/data/etcd-raft');
const OWN = resolve(ROOT, 'manager/raft/testdata');

main(process.argv.slice(2));

function main(argv: readonly string[]): void {
  const options = new Set(argv.filter((arg) => arg.startsWith('--')));
  const folders = argv.filter((arg) => !arg.startsWith('--'));
  const files = (folders.length > 0 ? folders : defaultFolders()).flatMap(dataFilesBelow);
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

function defaultFolders(): string[] {
  if (existsSync(REFERENCE)) return [REFERENCE];
  console.log(`no ${relative(ROOT, REFERENCE)} here: running the files of this repository only`);
  return [OWN];
}

function dataFilesBelow(path: string): string[] {
  if (!existsSync(path)) throw new Error(`no such file or folder: ${path}`);
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => a.name.localeCompare(b.name))
    .flatMap((entry) => {
      const below = join(path, entry.name);
      if (entry.isDirectory()) return dataFilesBelow(below);
      return entry.name.endsWith('.txt') ? [below] : [];
    });
}

function runOne(file: string, options: ReadonlySet<string>): FileResult {
  const text = readFileSync(file, 'utf8');
  const result = parseAndRun(file, text);
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

function parseAndRun(file: string, text: string): FileResult {
  try {
    return runDataFile(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { commands: [], outputs: [], failures: [reason], wordings: [file] };
  }
}
