import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { extract, type Header, pack } from 'tar-stream';
import { FakeEngine, type Route } from './fake-engine.ts';
import { type RunResult, run } from './run.ts';

const DIR = 2 ** 31 + 0o755;
const FILE = 0o644;
const LINK = 2 ** 27 + 0o777;

let engine: FakeEngine;
let dir: string;

before(async () => {
  engine = await FakeEngine.start();
});
after(() => engine.stop());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cp-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

type Entry = Partial<Header> & { name: string; text?: string };

async function tar(...entries: Entry[]): Promise<Buffer> {
  const packer = pack();
  for (const { text, ...header } of entries) packer.entry({ mode: 0o644, ...header }, text ?? '');
  packer.finalize();
  return buffer(packer as unknown as Readable);
}

const stat = (name: string, mode: number, linkTarget = '') => ({
  'x-docker-container-path-stat': Buffer.from(
    JSON.stringify({ name, size: 1, mode, mtime: '2024-01-01T00:00:00Z', linkTarget }),
  ).toString('base64'),
});

/** A container that gives out this archive. */
async function gives(name: string, mode: number, ...entries: Entry[]): Promise<void> {
  const reply = { headers: stat(name, mode), body: await tar(...entries) };
  engine.serve({ 'GET /containers/web/archive': reply });
}

async function treeOf(path: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(path, { recursive: true })).sort()) {
    const inner = join(path, name);
    const stats = lstatSync(inner);
    if (stats.isSymbolicLink()) found[name] = `-> ${readlinkSync(inner)}`;
    else if (stats.isFile()) found[name] = readFileSync(inner, 'utf8');
    else found[`${name}/`] = '';
  }
  return found;
}

const copy = (...args: string[]): Promise<RunResult> => run(engine, ['cp', ...args]);

async function copies(...args: string[]): Promise<void> {
  assert.deepEqual(await copy(...args), { code: 0, stdout: '', stderr: '' });
}

async function refuses(reason: RegExp, ...args: string[]): Promise<void> {
  const result = await copy(...args);
  assert.match(result.stderr, reason);
  assert.equal(result.code, 1);
}

describe('out of a container', () => {
  const tree: Entry[] = [
    { name: 'd/', type: 'directory', mode: 0o750 },
    { name: 'd/a', text: 'A' },
    { name: 'd/l', type: 'symlink', linkname: 'a' },
    { name: 'd/h', type: 'link', linkname: 'd/a' },
    { name: 'd/s/', type: 'directory' },
    { name: 'd/s/b', text: 'B', mode: 0o755, mtime: new Date(1_000_000) },
  ];
  const content = { a: 'A', h: 'A', l: '-> a', 's/': '', 's/b': 'B' };

  test('a directory, to a name that is free', async () => {
    await gives('d', DIR, ...tree);
    await copies('web:/x/d', join(dir, 'new'));
    assert.deepEqual(engine.asked, ['GET /containers/web/archive?path=/x/d']);
    assert.deepEqual(await treeOf(join(dir, 'new')), content);
    assert.equal(lstatSync(join(dir, 'new')).mode & 0o777, 0o750);
    assert.equal(lstatSync(join(dir, 'new/s/b')).mode & 0o777, 0o755);
    assert.equal(lstatSync(join(dir, 'new/s/b')).mtimeMs, 1_000_000);
  });

  test('a directory, into one that exists; and its content', async () => {
    await gives('d', DIR, ...tree);
    await copies('web:x/d', dir);
    assert.deepEqual(await treeOf(join(dir, 'd')), content);
    await gives(
      'd',
      DIR,
      ...tree
        .map((entry) => ({ ...entry, name: entry.name.replace(/^d/, '.') }))
        .map((entry) => (entry.type === 'link' ? { ...entry, linkname: './a' } : entry)),
    );
    const target = join(dir, 'content');
    mkdirSync(target);
    await copies('web:/x/d/.', target);
    assert.deepEqual(await treeOf(target), content);
  });

  test('a file: into a directory, to a name, and over a file', async () => {
    await gives('a', FILE, { name: 'a', text: 'A' });
    await copies('web:/a', `${dir}/`);
    await copies('web:/a', join(dir, 'b'));
    writeFileSync(join(dir, 'c'), 'something longer');
    await copies('web:/a', join(dir, 'c'));
    assert.deepEqual(await treeOf(dir), { a: 'A', b: 'A', c: 'A' });
  });

  test('as a tar to standard output', async () => {
    await gives('a', FILE, { name: 'a', text: 'A' });
    const { stdout, code } = await copy('web:/a', '-');
    assert.equal(code, 0);
    assert.match(stdout, /^a\0/);
  });

  test('what a link leads to, under the name of the link', async () => {
    const head = (request: { query: Readonly<Record<string, string>> }) => ({
      headers: request.query['path'] === '/l' ? stat('l', LINK, '/real') : stat('real', FILE),
    });
    engine.serve({
      'HEAD /containers/web/archive': head,
      'GET /containers/web/archive': {
        headers: stat('real', FILE),
        body: await tar({ name: 'real', text: 'R' }),
      },
    });
    await copies('-L', 'web:/l', dir);
    assert.equal(engine.asked.at(-1), 'GET /containers/web/archive?path=/real');
    assert.deepEqual(await treeOf(dir), { l: 'R' });
  });

  test('where it cannot go', async () => {
    await gives('d', DIR, ...tree);
    writeFileSync(join(dir, 'file'), '');
    await refuses(/cannot copy a directory over the file/, 'web:/d', join(dir, 'file'));
    await refuses(
      /invalid output path: directory .*nope does not exist/,
      'web:/d',
      join(dir, 'nope/x'),
    );
    await gives('a', FILE, { name: 'a', text: 'A' });
    await refuses(
      /destination directory .*nope\/ does not exist/,
      'web:/a',
      `${join(dir, 'nope')}/`,
    );
  });

  const evil: readonly [string, Entry[]][] = [
    ['up', [{ name: 'd/../../evil', text: 'X' }]],
    [
      'through its own link',
      [
        { name: 'd/out', type: 'symlink', linkname: '/tmp' },
        { name: 'd/out/evil', text: 'X' },
      ],
    ],
    ['by a hard link', [{ name: 'd/h', type: 'link', linkname: 'd/../../x' }]],
  ];
  for (const [how, entries] of evil) {
    test(`an archive that leads out of its place: ${how}`, async () => {
      await gives('d', DIR, { name: 'd/', type: 'directory' }, ...entries);
      await refuses(/leads out of it/, 'web:/d', join(dir, 'd'));
    });
  }

  test('what is not there', async () => {
    const message = 'Could not find the file /x in container web';
    engine.serve({ 'GET /containers/web/archive': { status: 404, json: { message } } });
    await refuses(new RegExp(`^Error response from daemon: ${message}\n$`), 'web:/x', dir);
  });
});

describe('into a container', () => {
  const put: Record<string, Route> = { 'PUT /containers/web/archive': {} };

  async function received(): Promise<Record<string, string>> {
    const request = engine.requests.find(({ method }) => method === 'PUT');
    const entries = extract();
    Readable.from([request?.body]).pipe(entries);
    const found: Record<string, string> = {};
    for await (const entry of entries) {
      const { name, type, linkname, uid } = entry.header;
      assert.equal(uid, 0, 'what is copied belongs to root');
      const text = (await buffer(entry as unknown as Readable)).toString();
      found[name] = type === 'symlink' ? `-> ${linkname}` : text;
    }
    return found;
  }

  beforeEach(() => {
    mkdirSync(join(dir, 'd/s'), { recursive: true });
    writeFileSync(join(dir, 'd/a'), 'A');
    writeFileSync(join(dir, 'd/s/empty'), '');
    symlinkSync('a', join(dir, 'd/l'));
  });

  const cases: readonly [string, string, Record<string, string>][] = [
    ['d', '/there', { 'd/': '', 'd/a': 'A', 'd/l': '-> a', 'd/s/': '', 'd/s/empty': '' }],
    ['d/.', '/there', { './': '', './a': 'A', './l': '-> a', './s/': '', './s/empty': '' }],
    ['d/a', 'there', { a: 'A' }],
    ['d/l', '/there', { l: '-> a' }],
  ];
  for (const [source, target, expected] of cases) {
    test(`${source} to the directory ${target}`, async () => {
      engine.serve({ ...put, 'HEAD /containers/web/archive': { headers: stat('there', DIR) } });
      await copies(
        join(dir, source.replace(/\/\.$/, '')) + (source.endsWith('/.') ? '/.' : ''),
        `web:${target}`,
      );
      assert.deepEqual(engine.asked, [
        'HEAD /containers/web/archive?path=/there',
        'PUT /containers/web/archive?path=/there&noOverwriteDirNonDir=true',
      ]);
      assert.deepEqual(await received(), expected);
    });
  }

  test('to a name that is free', async () => {
    engine.serve({ ...put, 'GET /containers/web/json': { json: {} } });
    await copies(join(dir, 'd/a'), 'web:/x/renamed');
    assert.equal(
      engine.asked.at(-1),
      'PUT /containers/web/archive?path=/x&noOverwriteDirNonDir=true',
    );
    assert.deepEqual(await received(), { renamed: 'A' });
  });

  test('to what a link in the container leads to', async () => {
    engine.serve({
      ...put,
      'HEAD /containers/web/archive': ({ query }) => ({
        headers: query['path'] === '/l' ? stat('l', LINK, '/real') : stat('real', DIR),
      }),
    });
    await copies(join(dir, 'd/a'), 'web:/l');
    assert.match(engine.asked.at(-1) ?? '', /path=\/real&/);
  });

  test('-L copies what the source links to', async () => {
    engine.serve({ ...put, 'HEAD /containers/web/archive': { headers: stat('there', DIR) } });
    await copies('-L', join(dir, 'd/l'), 'web:/there');
    assert.deepEqual(await received(), { l: 'A' });
  });

  test('a tar from standard input, to a directory only', async () => {
    engine.serve({ ...put, 'HEAD /containers/web/archive': { headers: stat('there', DIR) } });
    await run(engine, ['cp', '-', 'web:/there'], { stdin: 'tar' });
    assert.equal(engine.requests.at(-1)?.body.toString(), 'tar');
    engine.serve({ ...put, 'HEAD /containers/web/archive': { headers: stat('f', FILE) } });
    await refuses(/destination "web:\/f" must be a directory/, '-', 'web:/f');
  });

  test('where it cannot go', async () => {
    engine.serve({ 'HEAD /containers/web/archive': { headers: stat('f', FILE) } });
    await refuses(/cannot copy a directory over the file \/f/, join(dir, 'd'), 'web:/f');
    engine.serve({ 'GET /containers/web/json': { json: {} } });
    await refuses(/destination directory \/new\/ does not exist/, join(dir, 'd/a'), 'web:/new/');
    engine.serve({
      'GET /containers/nope/json': { status: 404, json: { message: 'No such container: nope' } },
    });
    await refuses(/^Error response from daemon: No such container: nope\n$/, dir, 'nope:/x');
    engine.serve({ 'GET /containers/web/json': { json: {} } });
    await refuses(/nofile: no such file or directory/, join(dir, 'nofile'), 'web:/x');
  });
});

test('one side must be a container, and only one', async () => {
  await refuses(/must specify at least one container source/, 'a', './b:c');
  await refuses(/copying between containers is not supported/, 'a:/x', 'b:/y');
});
