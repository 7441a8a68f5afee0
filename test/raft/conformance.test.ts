/** The data-driven files of this repository, structurally and with log lines. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
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
    'subtest one',
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
  assert.throws(() => parseDataFile('stabilize\nok'), /^Error: line 1: no "----"/);
  assert.throws(
    () => parseDataFile('# x\nstabilize\n----\n----\nok\n'),
    /^Error: line 4: the output is not closed/,
  );

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

/** What the last command of a file prints. */
function lastOutput(...lines: readonly string[]): string {
  const text = lines.map((line) => `${line}\n----\nok\n`).join('\n');
  return runDataFile(text).outputs.at(-1)!;
}

test('a line of white space is blank, and lines may end in \\r\\n', () => {
  const [first, second] = parseDataFile(
    '# x\r\none\r\n----\r\nok\r\n \t\r\n  # y\r\ntwo\r\n----\r\nok',
  );
  assert.deepEqual([first?.name, first?.expected], ['one', 'ok\n']);
  assert.deepEqual([second?.name, second?.expected], ['two', 'ok\n']);
});

test('messages are delivered and dropped in the order in which their recipients are named', () => {
  const setUp = ['log-level none', 'add-nodes 3 voters=(1,2,3) index=10', 'campaign 1'];
  const rest = ['process-ready 1', 'log-level warn'];
  const ids = (output: string) =>
    output.split('\n').flatMap((line) => /^(dropped: )?1->(\d)/.exec(line)?.slice(1, 3) ?? []);
  assert.deepEqual(ids(lastOutput(...setUp, ...rest, 'deliver-msgs drop=(3) 2')), [
    'dropped: ',
    '3',
    undefined,
    '2',
  ]);
  assert.deepEqual(ids(lastOutput(...setUp, ...rest, 'deliver-msgs 2 drop=3')), [
    undefined,
    '2',
    'dropped: ',
    '3',
  ]);
  const ofType = (type: string) => lastOutput(...setUp, ...rest, `deliver-msgs 2 type=${type}`);
  assert.match(ofType('MsgVote'), /^1->2 MsgVote/);
  assert.equal(ofType('MsgApp'), 'no messages\n');
  assert.match(ofType('MsgNo'), /unknown message type MsgNo/);
  assert.match(lastOutput(...setUp, 'deliver-msgs 2 drop=(2)'), /both delivered and dropped/);
});

test('options and values that do not exist are named, however quiet the log is', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['add-nodes 1 vters=(1) index=3', /unknown argument vters=/],
    ['add-nodes 1 prevote=maybe', /prevote=maybe: wanted true or false/],
    ['add-nodes 1 read-only=fast', /invalid read-only option "fast"/],
    ['add-nodes 1 voters=(1) index=1', /index must be specified as > 1/],
    ['fly 1', /unknown command "fly"/],
    ['campaign 7', /there is no node 7/],
    ['log-level loud', /log level "loud"/],
    ['campaign', /^wanted ID, found nothing$/m],
    ['compact 1', /^wanted ID INDEX, found 1$/m],
    ['propose x y', /^wanted a number, found "x"$/m],
    ['transfer-leadership to=1', /^from= is missing$/m],
    ['propose-conf-change 1 transition=slow', /^unknown transition slow$/m],
    ['committed cfg=(1,2) idx=(1)', /^2 voters, but 1 values for them$/m],
    ['vote cfg=(1) votes=(x)', /^vote "x": wanted y, n or _$/m],
    ['enter-joint autoleave=perhaps', /^autoleave=perhaps: wanted true or false$/m],
    ['simple leave=1', /^unknown argument leave=: wanted one of autoleave$/m],
  ];
  for (const [line, message] of cases) {
    assert.match(lastOutput(line), message);
    if (!/^(committed|vote|simple|enter-joint)/.test(line)) {
      assert.match(lastOutput('log-level none', line), message);
    }
  }
  assert.equal(lastOutput('log-level none', 'add-nodes 2 prevote=t checkquorum=1'), 'ok\n');
  assert.equal(lastOutput('_breakpoint'), 'ok\n');
});

test('an error of a node is part of the output, also at level none', () => {
  const alone = ['log-level none', 'add-nodes 1 voters=(1) index=3'];
  assert.equal(lastOutput(...alone, 'propose 1 x'), 'raft proposal dropped\n');
});

test('the command takes several folders, counts files, and fails if one of them does', () => {
  const folders = [1, 2].map(() => mkdtempSync(join(tmpdir(), 'raft-data-')));
  try {
    writeFileSync(join(folders[0]!, 'good.txt'), 'committed\n----\n<empty majority quorum>∞\n');
    writeFileSync(
      join(folders[1]!, 'good.txt'),
      'simple\nv1 r0\n----\nvoters=(1)\n1: StateProbe match=0 next=1\n',
    );
    const run = (...args: readonly string[]) => {
      const main = 'test/raft/conformance/main.ts';
      const node = spawnSync(process.execPath, ['--import', 'tsx', main, ...args]);
      return { code: node.status, out: `${node.stdout}${node.stderr}` };
    };
    const good = run(...folders);
    assert.deepEqual([good.code, good.out.split('\n').at(-2)], [0, '2 passed, 0 failed']);
    writeFileSync(join(folders[1]!, 'bad.txt'), 'committed\n----\nsomething else\n');
    const bad = run(...folders);
    assert.equal(bad.code, 1);
    assert.match(bad.out, /bad\.txt, line 1: committed\n- something else\n\+ <empty/);
    assert.match(bad.out, /2 passed, 1 failed\n$/);
    mkdirSync(join(folders[0]!, 'below'));
    writeFileSync(join(folders[0]!, 'below', 'empty.txt'), '# nothing\n');
    writeFileSync(join(folders[0]!, 'below', 'notes.md'), 'committed\n----\nno\n');
    symlinkSync(folders[1]!, join(folders[0]!, 'below', 'linked'));
    symlinkSync(folders[0]!, join(folders[0]!, 'below', 'circle'));
    symlinkSync('/no/such/file', join(folders[0]!, 'below', 'gone.txt'));
    const linked = run(folders[0]!);
    assert.match(linked.out, /^not counted, .*empty\.txt$/m);
    assert.match(linked.out, /2 passed, 1 failed\n$/);
    const missing = run('/no/such/folder');
    assert.deepEqual([missing.code, missing.out], [1, 'no such file or folder: /no/such/folder\n']);
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true });
  }
});

test('diffs show what is missing and what is new', () => {
  assert.equal(diffLines('a\nb\nc', 'a\nc\nd'), '  a\n- b\n  c\n+ d');
});
