/** The data-driven files of this repository, structurally and with log lines. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseDataFile, parseDirective, rewriteDataFile } from './conformance/data-file.ts';
import { diffLines } from './conformance/diff.ts';
import { runDataFile } from './conformance/run-file.ts';

const OWN = 'manager/raft/testdata';

describe('transcripts', () => {
  for (const name of readdirSync(OWN).filter((each) => each.endsWith('.txt'))) {
    test(name, () => {
      const { failures, wordings } = runDataFile(readFileSync(join(OWN, name), 'utf8'));
      assert.deepEqual([...failures, ...wordings], []);
    });
  }
});

test('the grammar: comments, continuation, input, lists, outputs with blank lines', () => {
  const text = [
    '# comment',
    '',
    'add-nodes 3 voters=(1, 2,3) \\',
    '  index=10',
    '----',
    'one',
    'two',
    '',
    'propose-conf-change 1',
    'v1 v2',
    '----',
    '----',
    'a',
    '',
    'b',
    '----',
    '----',
    '',
    'stabilize',
    '----',
    'ok',
  ].join('\n');
  const commands = parseDataFile(text);
  assert.deepEqual(
    commands.map(({ name, input, expected, line }) => ({ name, input, expected, line })),
    [
      { name: 'add-nodes', input: '', expected: 'one\ntwo\n', line: 3 },
      { name: 'propose-conf-change', input: 'v1 v2', expected: 'a\n\nb\n', line: 9 },
      { name: 'stabilize', input: '', expected: 'ok\n', line: 19 },
    ],
  );
  assert.deepEqual(commands[0]?.args, [
    { key: '3', values: [] },
    { key: 'voters', values: ['1', '2', '3'] },
    { key: 'index', values: ['10'] },
  ]);
  assert.deepEqual(parseDirective('propose 1 "foo"').args[1], { key: '"foo"', values: [] });
  assert.throws(() => parseDataFile('stabilize\nok'), /no "----"/);

  const outputs = commands.map(({ expected }) => expected);
  assert.equal(rewriteDataFile(text, commands, outputs), text);
  const changed = rewriteDataFile(text, commands, ['x\n\ny\n', 'z\n', 'ok\n']);
  assert.deepEqual(
    parseDataFile(changed).map(({ expected }) => expected),
    ['x\n\ny\n', 'z\n', 'ok\n'],
  );
});

test('a wrong transcript fails: in what nodes do, or only in what they log', () => {
  const run = (expected: string) =>
    runDataFile(`add-nodes 1 voters=(1) index=3\n----\n${expected}\n\ncampaign 1\n----\nok\n`);
  const lines = [
    'INFO 1 switched to configuration voters=(1)',
    'INFO 1 became follower at term 0',
    'INFO newRaft 1 [peers: [1], term: 0, commit: 3, applied: 3, lastindex: 3, lastterm: 1]',
  ];
  const right = run(lines.join('\n'));
  assert.equal(right.failures.length, 0);
  assert.equal(right.wordings.length, 1, 'campaign logs something');
  assert.equal(run(lines.slice(1).join('\n')).wordings.length, 2);
  assert.equal(run([...lines, '1: StateLeader'].join('\n')).failures.length, 1);
  const unknown = runDataFile('add-nodes 1\n----\nok\n\nfly 1\n----\nok\n');
  assert.equal(unknown.failures.length, 1);
});

test('diffs show what is missing and what is new', () => {
  assert.equal(diffLines('a\nb\nc', 'a\nc\nd'), '  a\n- b\n  c\n+ d');
});
