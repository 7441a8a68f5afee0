import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { canonicalName, familiarName, parseImage } from '../../swarmctl/images/reference.ts';
import { registryAuth } from '../../swarmctl/images/registry-auth.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('names of images', () => {
  const names: readonly [string, string, string][] = [
    ['alpine', 'docker.io/library/alpine:latest', 'alpine:latest'],
    ['alpine:3', 'docker.io/library/alpine:3', 'alpine:3'],
    ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['docker.io/alpine', 'docker.io/library/alpine:latest', 'alpine:latest'],
    ['index.docker.io/user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['host:5000/a', 'host:5000/a:latest', 'host:5000/a:latest'],
    ['localhost/a/b:v1', 'localhost/a/b:v1', 'localhost/a/b:v1'],
    ['192.168.77.1:5000/a', '192.168.77.1:5000/a:latest', '192.168.77.1:5000/a:latest'],
    [`quay.io/a:v1@${DIGEST}`, `quay.io/a@${DIGEST}`, `quay.io/a@${DIGEST}`],
  ];
  for (const [text, canonical, familiar] of names) {
    test(text, () => {
      const image = parseImage(text);
      assert.deepEqual([canonicalName(image), familiarName(image)], [canonical, familiar]);
    });
  }

  for (const text of [
    '',
    ':',
    'a:',
    'a b',
    'a//b',
    'a@sha256:1',
    '-a',
    'a:-',
    '/a',
    'a@b@c',
    'Abc',
  ]) {
    test(`"${text}" is none`, () => {
      assert.throws(() => parseImage(text), /invalid reference format/);
    });
  }
});

describe('registry logins', () => {
  const dir = mkdtempSync(join(tmpdir(), 'auth-'));
  after(() => rmSync(dir, { recursive: true }));
  const basic = (pair: string) => ({ auth: Buffer.from(pair).toString('base64') });

  async function loginFor(image: string, config: object | string, path = ''): Promise<unknown> {
    const folder = mkdtempSync(join(dir, 'config-'));
    const text = typeof config === 'string' ? config : JSON.stringify(config);
    writeFileSync(join(folder, 'config.json'), text);
    const env = { DOCKER_CONFIG: folder, PATH: `${path}:${process.env['PATH']}` };
    const header = await registryAuth(image, env);
    assert.match(header, /^[\w-]+$/, 'base 64 for headers');
    return JSON.parse(Buffer.from(header, 'base64url').toString());
  }

  test('none', async () => {
    assert.deepEqual(await loginFor('alpine', {}), {});
    assert.deepEqual(await loginFor('alpine', { auths: { 'quay.io': basic('u:p') } }), {});
    assert.equal(await registryAuth('alpine', { DOCKER_CONFIG: '/nonexistent' }), 'e30');
  });

  test('of Docker Hub, by its old address', async () => {
    const auths = { 'https://index.docker.io/v1/': basic('me:secret:with:colons') };
    assert.deepEqual(await loginFor('me/app:1', { auths }), {
      username: 'me',
      password: 'secret:with:colons',
      serveraddress: 'https://index.docker.io/v1/',
    });
  });

  test('of a registry, also when kept by URL', async () => {
    const expected = { username: 'u', password: 'p', serveraddress: 'host:5000' };
    const image = 'host:5000/a/b';
    assert.deepEqual(await loginFor(image, { auths: { 'host:5000': basic('u:p') } }), expected);
    const byUrl = { auths: { 'https://host:5000/v1/': basic('u:p') } };
    assert.deepEqual(await loginFor(image, byUrl), expected);
  });

  test('by token', async () => {
    const auths = { 'quay.io': { identitytoken: 't' } };
    const expected = { identitytoken: 't', serveraddress: 'quay.io' };
    assert.deepEqual(await loginFor('quay.io/a', { auths }), expected);
  });

  test('from a credential helper; without one, from the file', async () => {
    const bin = join(dir, 'bin');
    mkdirSync(bin);
    const script = '#!/bin/sh\nread -r s; echo "{\\"Username\\":\\"$s\\",\\"Secret\\":\\"x\\"}"\n';
    writeFileSync(join(bin, 'docker-credential-fake'), script);
    chmodSync(join(bin, 'docker-credential-fake'), 0o755);
    const auths = { 'quay.io': basic('u:p') };
    const fromHelper = { username: 'quay.io', password: 'x', serveraddress: 'quay.io' };
    const helpers = { auths, credHelpers: { 'quay.io': 'fake' } };
    assert.deepEqual(await loginFor('quay.io/a', helpers, bin), fromHelper);
    assert.deepEqual(await loginFor('quay.io/a', { auths, credsStore: 'fake' }, bin), fromHelper);
    const gone = { auths, credsStore: 'not-installed' };
    const fromFile = { username: 'u', password: 'p', serveraddress: 'quay.io' };
    assert.deepEqual(await loginFor('quay.io/a', gone, bin), fromFile);
  });

  test('a file that is broken', async () => {
    await assert.rejects(loginFor('alpine', 'nonsense'), /config\.json is no JSON/);
  });
});
