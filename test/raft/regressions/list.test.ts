/** The list of regressions in test/raft/README.md and the tests agree. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';

const FOLDERS = ['test/raft', 'test/manager/consensus'];
/** The row says why it cannot happen. */
const IMPOSSIBLE = [52];

interface Row {
  readonly number: number;
  readonly text: string;
}

function rows(): Row[] {
  const lines = readFileSync('test/raft/README.md', 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [, number, text] = /^\| (\d+) \| (.*)/.exec(line) ?? [];
    return number === undefined ? [] : [{ number: Number(number), text: text! }];
  });
}

/** By number, the files that have a test of that number. */
function testedIn(): Map<number, Set<string>> {
  const found = new Map<number, Set<string>>();
  const files = FOLDERS.flatMap((folder) =>
    (readdirSync(folder, { recursive: true }) as string[])
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => join(folder, name)),
  );
  for (const file of files) {
    const names = readFileSync(file, 'utf8').matchAll(/\b(?:test|it|describe)\(\s*['"`](\d+):/g);
    for (const [, number] of names) {
      const at = found.get(Number(number)) ?? new Set();
      found.set(Number(number), at.add(basename(file, '.test.ts')));
    }
  }
  return found;
}

test('the list is complete and in order', () => {
  assert.deepEqual(
    rows().map(({ number }) => number),
    Array.from({ length: 52 }, (_, i) => i + 1),
  );
});

test('each number has tests, and its row names where', () => {
  const tested = testedIn();
  for (const { number, text } of rows()) {
    const files = [...(tested.get(number) ?? [])];
    assert.equal(files.length === 0, IMPOSSIBLE.includes(number), `tests of ${number}`);
    if (files.length === 0) continue;
    assert.ok(
      files.some((file) => text.includes(file)),
      `${number} is in ${files.join()}`,
    );
  }
});

test('each test with a number is one of the list', () => {
  for (const number of testedIn().keys()) assert.ok(number >= 1 && number <= 52, `${number}`);
});
