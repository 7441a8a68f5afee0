import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { files } from './pages.ts';

interface PackageJson {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as PackageJson;
const runTime = Object.keys(manifest.dependencies);
const development = Object.keys(manifest.devDependencies);
const [, runTimeTable = '', developmentTable = ''] = readFileSync('docs/dependencies.md', 'utf8')
  .split(/^## /m)
  .map(packagesIn);

test('docs/dependencies.md has every package, says why, and has no other', () => {
  assert.deepEqual([...runTimeTable].sort(), [...runTime].sort());
  const isType = (name: string) => name.startsWith('@types/');
  const tools = development.filter((name) => !isType(name));
  assert.deepEqual([...developmentTable].sort(), [...tools, '@types/*'].sort());
  for (const name of development.filter(isType)) {
    const typed = name.slice('@types/'.length);
    assert.ok(typed === 'node' || runTime.includes(typed), `${name} is for a package of ours`);
  }
});

test('versions are exact', () => {
  const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  const loose = versions.filter(([, version]) => !/^(npm:.*@)?\d+\.\d+\.\d+$/.test(version));
  assert.deepEqual(loose, []);
});

test('every package of the run time is imported by the product', () => {
  const product = /^(common|manager|netdriver|proto|swarmctl|swarmd|worker)\/.*\.ts$/;
  const generated = 'proto/gen/swarm/objects.ts';
  const imported = importsOf([...files.filter((path) => product.test(path)), generated]);
  assert.deepEqual(
    runTime.filter((name) => !imported.has(name)),
    [],
  );
});

test('every tool is used: by a script, by a test, or by the generator of code', () => {
  const commands = [...Object.values(manifest.scripts), readFileSync('buf.gen.yaml', 'utf8')];
  const imported = importsOf(files.filter((path) => path.endsWith('.ts')));
  // How the tools that are not imported are started.
  const started: Readonly<Record<string, string>> = {
    '@biomejs/biome': 'biome ',
    '@bufbuild/buf': 'buf ',
    '@typescript/native': 'tsc ',
    'ts-proto': 'protoc-gen-ts_proto',
    tsx: '--import tsx ',
  };
  const unused = development.filter((name) => {
    // dependency-cruiser needs `typescript` to read sources.
    if (name.startsWith('@types/') || name === 'typescript') return false;
    const command = started[name];
    return command ? !commands.join(' ').includes(command) : !imported.has(name);
  });
  assert.deepEqual(unused, []);
});

/** The first column of the tables in a section. */
function packagesIn(section: string): string[] {
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.flatMap((row) => {
    const [, first = '', why = ''] = row.split('|');
    assert.ok(why.trim().length > 0, row);
    return Array.from(first.matchAll(/`([^`]+)`/g), ([, name = '']) => name);
  });
}

/** The packages that these sources import, without the paths inside of them. */
function importsOf(paths: readonly string[]): Set<string> {
  const imported = new Set<string>();
  for (const path of paths) {
    const source = readFileSync(path, 'utf8');
    for (const [, name = ''] of source.matchAll(
      /(?:from|import)\s*\(?['"]((?:@[\w-]+\/)?[\w.-]+)/g,
    )) {
      imported.add(name);
    }
  }
  return imported;
}
