import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import type { ICruiseResult, IFlattenedRuleSet } from 'dependency-cruiser';
import { MODULES } from './cruise.ts';

const CONFIG = resolve('.dependency-cruiser.cjs');
const { forbidden = [] } = createRequire(import.meta.url)(CONFIG) as IFlattenedRuleSet;

/** A tree in which every rule is broken once: a file, what it says, and the rule that it breaks. */
const BROKEN: readonly [file: string, text: string, rule: string][] = [
  ['common/a.ts', `import '../manager/index.ts';`, 'common-uses-only-its-layer'],
  ['manager/a.ts', `import type { W } from '../worker/index.ts';`, 'manager-uses-only-its-layer'],
  ['netdriver/a.ts', `import '../worker/index.ts';`, 'netdriver-uses-only-its-layer'],
  ['worker/a.ts', `import '../swarmd/main.ts';`, 'worker-uses-only-its-layer'],
  ['swarmd/a.ts', `import '../swarmctl/main.ts';`, 'swarmd-uses-only-its-layer'],
  ['swarmctl/a.ts', `import '../swarmd/main.ts';`, 'swarmctl-uses-only-its-layer'],
  ['swarmd/b.ts', `import '../manager/ca/a.ts';`, 'manager-only-through-its-index'],
  ['swarmd/c.ts', `import '../worker/engine/a.ts';`, 'worker-only-through-its-index'],
  ['swarmd/d.ts', `import '../netdriver/kernel/a.ts';`, 'netdriver-only-through-its-index'],
  ['manager/raft/a.ts', `import '../../common/a.ts';`, 'raft-depends-on-nothing'],
  ['manager/b.ts', `import './raft/a.ts';`, 'raft-only-through-its-index'],
  ['manager/store/a.ts', `import 'node:fs/promises';`, 'decides-without-the-world'],
  ['manager/allocator/ip.ts', `import 'node:fs';`, 'decides-without-the-world-but-net'],
  ['manager/store/b.ts', `import '../ca/a.ts';`, 'store-knows-only-types-of-consensus'],
  ['worker/runtime/a.ts', `import '../engine/a.ts';`, 'runtime-knows-only-types-of-engine'],
  ['worker/engine/b.ts', `import '../agent/a.ts';`, 'engine-knows-no-agent'],
  ['netdriver/kernel/b.ts', `import '../index.ts';`, 'kernel-knows-no-netdriver'],
  ['common/b.ts', `import './c.ts';`, 'no-circular'],
  ['common/d.ts', `import './nowhere.ts';`, 'no-unresolved'],
  ['common/e.ts', `import 'undeclared';`, 'no-undeclared-package'],
  ['common/f.ts', '', 'no-dead-module'],
];

const SOUND = [
  'manager/ca/a.ts',
  'manager/index.ts',
  'netdriver/index.ts',
  'netdriver/kernel/a.ts',
  'swarmctl/main.ts',
  'swarmd/main.ts',
  'worker/agent/a.ts',
  'worker/engine/a.ts',
  'worker/index.ts',
];

let tree = '';
let broken: readonly string[] = [];

before(async () => {
  tree = await mkdtemp(join(tmpdir(), 'swarm-architecture-'));
  await writeFile(join(tree, 'package.json'), '{"dependencies": {"level": "*"}}');
  await writeFile(join(tree, 'tsconfig.json'), '{}');
  for (const name of ['level', 'undeclared']) {
    await write(`node_modules/${name}/package.json`, `{"name": "${name}", "main": "index.js"}`);
    await write(`node_modules/${name}/index.js`, '');
  }
  for (const file of SOUND) await write(file, 'export type W = 1;');
  await write('common/c.ts', `import './b.ts';`);
  for (const [file, text] of BROKEN) await write(file, text);
  broken = await violations();
});

after(() => rm(tree, { recursive: true }));

for (const [file, , rule] of BROKEN) {
  test(`${rule} is broken by ${file}`, () => {
    assert.ok(broken.includes(`${rule}: ${file}`), broken.join('\n'));
  });
}

test('every rule is known to find what it forbids', () => {
  const shown = new Set(BROKEN.map(([, , rule]) => rule));
  assert.deepEqual(
    forbidden.map(({ name }) => name).filter((name) => !shown.has(name ?? '')),
    [],
  );
});

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(tree, file)), { recursive: true });
  await writeFile(join(tree, file), `${text}\n`);
}

/** `RULE: FILE` for every violation in the tree. */
async function violations(): Promise<readonly string[]> {
  const program = resolve('node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [program, '--config', CONFIG, '--output-type', 'json', ...MODULES];
  const json = await new Promise<string>((fulfil) => {
    // Exits with the number of errors, which is what is wanted here.
    execFile(process.execPath, args, { cwd: tree, maxBuffer: 1 << 26 }, (_, out) => fulfil(out));
  });
  const { summary } = JSON.parse(json) as ICruiseResult;
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from === to ? to : from}`);
}
