import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { secondsAgo, testCases } from './cases.ts';
import { FakeEngine } from './fake-engine.ts';
import { run } from './run.ts';

const dir = mkdtempSync(join(tmpdir(), 'image-'));
after(() => rmSync(dir, { recursive: true }));

const ID = `sha256:${'1'.repeat(64)}`;
const DIGEST = `sha256:${'d'.repeat(64)}`;
const image = {
  Id: ID,
  RepoTags: ['alpine:latest', 'host:5000/a/b:v1'],
  RepoDigests: [`alpine@${DIGEST}`],
  Created: secondsAgo(2 * 3600),
  Size: 8_000_000,
  Containers: 2,
};
const dangling = { ...image, RepoTags: [], RepoDigests: [`old@${DIGEST}`], Containers: -1 };
const list = { 'GET /images/json': { json: [image] } };
const lines = (...messages: object[]) => ({
  body: messages.map((m) => JSON.stringify(m)).join('\n'),
});

testCases('images', [
  {
    args: ['images'],
    routes: list,
    asked: ['GET /images/json'],
    stdout: [
      'REPOSITORY      TAG       IMAGE ID       CREATED       SIZE',
      'alpine          latest    111111111111   2 hours ago   8MB',
      'host:5000/a/b   v1        111111111111   2 hours ago   8MB',
    ],
  },
  {
    args: ['image', 'ls', '--digests', '--format', '{{.Repository}} {{.Tag}} {{.Digest}}'],
    routes: { 'GET /images/json': { json: [image, dangling] } },
    stdout: [`alpine latest ${DIGEST}`, 'host:5000/a/b v1 <none>', `old <none> ${DIGEST}`],
  },
  {
    args: ['images', '--format', '{{.Repository}}:{{.Tag}} {{.Containers}}', 'alpine'],
    routes: { 'GET /images/json': { json: [dangling] } },
    asked: ['GET /images/json?filters={"reference":{"alpine":true}}'],
    stdout: 'old:<none> N/A\n',
  },
  { args: ['images', '-q', '--no-trunc'], routes: list, stdout: [ID, ID] },
  {
    args: ['pull', 'alpine'],
    routes: {
      'POST /images/create': lines({ status: 'Pulling from library/alpine', id: 'latest' }),
    },
    asked: ['POST /images/create?fromImage=docker.io/library/alpine&tag=latest'],
    stdout: [
      'Using default tag: latest',
      'latest: Pulling from library/alpine',
      'docker.io/library/alpine:latest',
    ],
  },
  {
    args: ['pull', '-q', '--platform', 'linux/arm64', `host:5000/a@${DIGEST}`],
    routes: { 'POST /images/create': lines({ status: 'Pulling from a', id: 'x' }) },
    asked: [`POST /images/create?fromImage=host:5000/a&tag=${DIGEST}&platform=linux/arm64`],
    stdout: `host:5000/a@${DIGEST}\n`,
  },
  {
    args: ['pull', 'nope'],
    routes: {
      'POST /images/create': { status: 404, json: { message: 'manifest for nope not found' } },
    },
    code: 1,
    stdout: 'Using default tag: latest\n',
    stderr: 'Error response from daemon: manifest for nope not found\n',
  },
  {
    args: ['pull', 'UPPER'],
    code: 1,
    asked: [],
    stderr: 'invalid reference format: repository name (UPPER) must be lowercase\n',
  },
  {
    args: ['rmi', '-f', '--no-prune', 'host:5000/a/b:v1'],
    routes: { 'DELETE /images/host:5000/a/b:v1': { json: [{ Untagged: 'x' }, { Deleted: 'y' }] } },
    asked: ['DELETE /images/host:5000/a/b:v1?force=1&noprune=1'],
    stdout: ['Untagged: x', 'Deleted: y'],
  },
  {
    args: ['image', 'rm', 'nope'],
    routes: { 'DELETE /images/nope': { status: 404, json: { message: 'No such image: nope' } } },
    code: 1,
    stderr: 'Error response from daemon: No such image: nope\n',
  },
  {
    args: ['tag', 'alpine', 'host:5000/x'],
    routes: { 'POST /images/alpine/tag': { status: 201 } },
    asked: ['POST /images/alpine/tag?repo=host:5000/x&tag=latest'],
  },
  {
    args: ['tag', 'alpine', `x@${DIGEST}`],
    code: 1,
    stderr: 'refusing to create a tag with a digest reference\n',
  },
  {
    args: ['history', 'alpine', '--format', '{{.ID}} {{.CreatedBy}} {{.Size}}'],
    routes: {
      'GET /images/alpine/history': {
        json: [{ Id: ID, Created: 1, CreatedBy: `RUN ${'x'.repeat(60)}`, Size: 5, Comment: '' }],
      },
    },
    stdout: `111111111111 RUN ${'x'.repeat(40)}… 5B\n`,
  },
  {
    args: ['image', 'inspect', '-f', '{{.Id}}', 'alpine', 'nope'],
    routes: { 'GET /images/alpine/json': { json: { Id: ID } } },
    code: 1,
    stdout: `${ID}\n`,
    stderr: 'Error response from daemon: No such image: nope\n',
  },
  {
    args: ['image', 'prune', '-af'],
    routes: {
      'POST /images/prune': { json: { ImagesDeleted: [{ Deleted: 'y' }], SpaceReclaimed: 8e6 } },
    },
    asked: ['POST /images/prune?filters={"dangling":{"false":true}}'],
    stdout: ['Deleted Images:', 'Deleted: y', '', 'Total reclaimed space: 8MB'],
  },
  {
    args: ['load', '-i', '/nonexistent.tar'],
    code: 1,
    asked: [],
    stderr: /^cannot read \/nonexistent\.tar: ENOENT/,
  },
  {
    args: ['save', 'nope'],
    routes: { 'GET /images/get': { status: 404, json: { message: 'No such image: nope' } } },
    code: 1,
    stderr: 'Error response from daemon: No such image: nope\n',
  },
]);

test('load sends a file, save writes one, import sends standard input', async () => {
  const engine = await FakeEngine.start();
  try {
    const path = join(dir, 'in.tar');
    writeFileSync(path, 'tar');
    engine.serve({
      'POST /images/load': lines({ stream: 'Loaded image: x\n' }),
      'GET /images/get': { body: 'saved' },
      'POST /images/create': lines({ status: ID }),
    });
    const loaded = await run(engine, ['load', '-i', path]);
    assert.deepEqual(loaded, { code: 0, stdout: 'Loaded image: x\n', stderr: '' });
    assert.equal(engine.requests[0]?.body.toString(), 'tar');
    assert.equal(engine.requests[0]?.headers['content-type'], 'application/x-tar');

    await run(engine, ['save', '-o', join(dir, 'out.tar'), 'a', 'b']);
    assert.equal(readFileSync(join(dir, 'out.tar'), 'utf8'), 'saved');
    assert.deepEqual(readdirSync(dir).sort(), ['in.tar', 'out.tar']);
    assert.equal((await run(engine, ['save', 'a'])).stdout, 'saved');

    const args = ['import', '-c', 'CMD sh', '-m', 'note', '-', 'x:1'];
    const imported = await run(engine, args, { stdin: 'files' });
    assert.deepEqual(imported, { code: 0, stdout: `${ID}\n`, stderr: '' });
    const query = 'fromSrc=-&repo=docker.io/library/x&tag=1&message=note&changes=CMD+sh';
    assert.equal(engine.asked.at(-1), `POST /images/create?${query}`);
    assert.equal(engine.requests.at(-1)?.body.toString(), 'files');
  } finally {
    await engine.stop();
  }
});
