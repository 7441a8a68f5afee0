/** The package as somebody gets it who has nothing else: packed, installed, and used as its README says. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import ts from 'typescript';

const PACKAGE = resolve('manager/raft');
const TSC = resolve('node_modules/.bin/tsc');

let root: string;
let user: string;
let contents: string[];

/** Builds it apart from the tree, so that what is tested is what the sources say now. */
before(() => {
  root = mkdtempSync(join(tmpdir(), 'raft-package-'));
  const packed = join(root, 'package');
  mkdirSync(packed);
  for (const file of ['package.json', 'README.md', 'LICENSE']) {
    cpSync(join(PACKAGE, file), join(packed, file));
  }
  run(process.cwd(), TSC, '-p', PACKAGE, '--outDir', join(packed, 'dist'));
  // It is built already, and its own build would want the tree around it.
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', root];
  const [tarball = ''] = run(packed, 'npm', ...pack)
    .trim()
    .split('\n')
    .slice(-1);
  contents = run(root, 'tar', 'tzf', tarball).trim().split('\n').sort();

  user = join(root, 'user');
  mkdirSync(user);
  writeFileSync(join(user, 'package.json'), '{ "private": true, "type": "module" }');
  run(
    user,
    'npm',
    'install',
    '--offline',
    '--no-audit',
    '--no-fund',
    '--silent',
    join('..', tarball),
  );
});

after(() => rmSync(root, { recursive: true, force: true }));

function run(cwd: string, command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

test('it consists of code, types, README and licence, and of nothing else', () => {
  const others = contents.filter((name) => !/^package\/dist\/.+\.(js|js\.map|d\.ts)$/.test(name));
  assert.deepEqual(others, ['package/LICENSE', 'package/README.md', 'package/package.json']);
  const code = contents.filter((name) => name.endsWith('.js'));
  assert.ok(code.includes('package/dist/index.js'));
  for (const name of code) {
    assert.ok(contents.includes(name.replace(/js$/, 'd.ts')), `${name} has types`);
  }
});

test('it has no dependencies', () => {
  const { dependencies, peerDependencies } = JSON.parse(
    readFileSync(join(user, 'node_modules/raft-ts/package.json'), 'utf8'),
  );
  assert.deepEqual([dependencies, peerDependencies], [undefined, undefined]);
});

test('the code of the README compiles in strict mode, and prints what it says', () => {
  const readme = readFileSync(join(user, 'node_modules/raft-ts/README.md'), 'utf8');
  const pieces = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
  assert.equal(pieces.length, 5);
  const code = pieces.join('');
  writeFileSync(join(user, 'example.ts'), code);
  const [first = ''] = /^It prints .*$/m.exec(readme) ?? [];
  const printed = [
    ...first.matchAll(/`([^`]+)`/g),
    ...code.matchAll(/console\.log.* \/\/ (.*)$/gm),
  ];
  const settings = {
    compilerOptions: {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      target: 'es2023',
      lib: ['es2023', 'dom'],
      module: 'nodenext',
      skipLibCheck: false,
      types: [],
    },
    files: ['example.ts'],
  };
  writeFileSync(join(user, 'tsconfig.json'), JSON.stringify(settings));
  run(user, TSC, '-p', '.');
  const expected = printed.map(([, line]) => line);
  assert.equal(expected.length, 7);
  const lines = () => run(user, process.execPath, 'example.js').trimEnd().split('\n');
  // Whoever leads: the timeouts are random.
  for (let i = 0; i < 5; i++) assert.deepEqual(lines(), expected);
});

test('all that it exports can be used without its insides', () => {
  const script = `
    import * as raft from 'raft-ts';
    const names = Object.keys(raft);
    if (names.some((name) => raft[name] === undefined)) throw new Error('undefined export');
    console.log(names.length, typeof raft.RawNode, raft.describeStatus.name);
  `;
  writeFileSync(join(user, 'all.js'), script);
  assert.match(run(user, process.execPath, 'all.js'), /^\d\d function describeStatus\n$/);
  writeFileSync(join(user, 'inside.js'), "import 'raft-ts/dist/raw-node.js';");
  assert.throws(() => run(user, process.execPath, 'inside.js'), /ERR_PACKAGE_PATH_NOT_EXPORTED/);
});

test('each name that it exports, and each member of it, is documented in the types', () => {
  const types = join(user, 'node_modules/raft-ts/dist/index.d.ts');
  const program = ts.createProgram([types], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  });
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(
    checker.getSymbolAtLocation(program.getSourceFile(types)!)!,
  );
  assert.ok(exported.length > 60);
  const bare = exported.flatMap((each) => undocumented(checker, each));
  assert.deepEqual(bare, []);
});

function undocumented(checker: ts.TypeChecker, exported: ts.Symbol): string[] {
  const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
  const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported;
  const members = (symbol.declarations ?? [])
    .filter((each) => ts.isInterfaceDeclaration(each) || ts.isClassDeclaration(each))
    .flatMap(({ members }) => [...members])
    .flatMap(({ name }) => (name && !ts.isPrivateIdentifier(name) ? [name] : []))
    .map((name) => checker.getSymbolAtLocation(name)!);
  return [symbol, ...members]
    .filter((each) => each.getDocumentationComment(checker).length === 0)
    .map((each) => (each === symbol ? symbol.name : `${symbol.name}.${each.name}`));
}
