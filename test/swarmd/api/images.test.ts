import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { registryLogin, registryUrl, tokenUrl } from '../../../swarmd/api/registry-login.ts';
import { onEnd } from '../../support/cleanup.ts';
import { eventually } from '../../support/eventually.ts';
import { deafServer } from '../../support/loopback.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { apiBench } from './bench.ts';

const lines = (text: string) =>
  text
    .trim()
    .split('\r\n')
    .map((line) => JSON.parse(line));

test('pulling: progress as JSON lines, with the credentials of the header', async () => {
  const { call, node } = await apiBench({ swarm: false });
  const auth = Buffer.from('{"username":"u","password":"p"}').toString('base64url');
  const query = 'fromImage=docker.io/library/busybox&tag=1.36';
  const { status, text } = await call('POST', `/v1.50/images/create?${query}`, undefined, {
    'x-registry-auth': auth,
  });
  assert.equal(status, 200);
  assert.deepEqual(lines(text)[0], { status: 'Pulling from library/x', id: '1.36' });
  assert.deepEqual(node.engine.images.auth, { username: 'u', password: 'p' });
  assert.deepEqual(node.engine.images.calls, ['pull docker.io/library/busybox:1.36']);
  await call('POST', `/images/create?fromImage=busybox&tag=sha256:${'a'.repeat(64)}`);
  assert.equal(node.engine.images.calls[1], `pull busybox@sha256:${'a'.repeat(64)}`);
});

test('pulling: a failure before the first line is an answer, a later one is a line', async () => {
  const { call } = await apiBench({ swarm: false });
  const denied = await call('POST', '/images/create?fromImage=denied&tag=latest');
  assert.deepEqual([denied.status, denied.json.message], [404, 'pull access denied']);
  const broken = await call('POST', '/images/create?fromImage=broken&tag=latest');
  assert.equal(broken.status, 200);
  assert.deepEqual(lines(broken.text).at(-1), {
    errorDetail: { message: 'connection reset' },
    error: 'connection reset',
  });
});

test('the list and its filters', async () => {
  const { call } = await apiBench({ swarm: false });
  const tags = async (filters: object) => {
    const query = encodeURIComponent(JSON.stringify(filters));
    const { json } = await call('GET', `/images/json?filters=${query}`);
    return json.flatMap(({ RepoTags }: { RepoTags: string[] }) => RepoTags);
  };
  assert.deepEqual(await tags({}), ['alpine:latest']);
  assert.deepEqual(await tags({ reference: { 'alp*': true } }), ['alpine:latest']);
  assert.deepEqual(await tags({ reference: { 'alpine:3': true } }), []);
  assert.deepEqual(await tags({ dangling: { true: true } }), []);
  assert.deepEqual(await tags({ label: { of: true } }), ['alpine:latest']);
  const { json } = await call('GET', '/images/json');
  assert.equal(json[0].Created, Date.UTC(2026, 0, 1) / 1_000);
});

test('one image: inspect, history, tag, removal', async () => {
  const { call, node } = await apiBench({ swarm: false });
  const { json } = await call('GET', '/images/alpine/json');
  assert.equal(json.Architecture, 'amd64');
  assert.equal(json.Created, '2026-01-01T00:00:00Z');
  assert.equal(json.RootFS.Layers.length, 1);
  assert.equal((await call('GET', '/images/alpine/history')).json[0].Comment, 'first');
  const missing = await call('GET', '/images/host:5000/a/b/json');
  assert.deepEqual([missing.status, missing.json.message], [404, 'No such image: host:5000/a/b']);
  const tagged = await call('POST', '/images/alpine/tag?repo=host:5000/x&tag=1');
  assert.equal(tagged.status, 201);
  assert.deepEqual(node.engine.images.calls, ['tag alpine host:5000/x 1']);
  assert.deepEqual((await call('DELETE', '/images/alpine:latest')).json, [
    { Untagged: 'alpine:latest' },
  ]);
  assert.equal((await call('POST', '/images/alpine/push')).status, 501);
  assert.equal((await call('GET', '/images/alpine/unknown')).status, 404);
  assert.equal((await call('POST', '/images/prune')).json.SpaceReclaimed, 5);
});

test('archives go in and out', async () => {
  const { app, call, node } = await apiBench({ swarm: false });
  const post = (url: string) =>
    app.inject({
      method: 'POST',
      url,
      payload: Buffer.alloc(1_000),
      headers: { 'content-type': 'application/x-tar' },
    });
  assert.deepEqual(lines((await post('/images/load')).body), [
    { stream: 'Loaded image: loaded:1000\n' },
  ]);
  await post('/images/create?fromSrc=-&repo=mine&tag=1&changes=CMD+x&changes=ENV+a%3Db');
  assert.deepEqual(node.engine.images.calls, [
    'import {"repo":"mine","tag":"1","changes":["CMD x","ENV a=b"]} loaded:1000',
  ]);
  assert.equal((await call('GET', '/images/get?names=alpine')).text, 'alpine;');
  assert.equal((await call('GET', '/images/alpine/get')).text, 'alpine;');
  assert.equal((await call('GET', '/images/get?names=nope')).status, 404);
});

test('distribution tells digest and platforms', async () => {
  const { call } = await apiBench({ swarm: false });
  const { json } = await call('GET', '/v1.50/distribution/host:5000/a/nginx:alpine/json');
  assert.equal(json.Descriptor.size, 1_234);
  assert.deepEqual(json.Platforms, [{ architecture: 'amd64', os: 'linux' }]);
  assert.equal((await call('GET', '/distribution/missing/json')).status, 404);
});

test('volumes', async () => {
  const { call } = await apiBench({ swarm: false });
  const created = await call('POST', '/volumes/create', { Name: 'v', Labels: { a: 'b' } });
  assert.equal(created.status, 201);
  assert.equal(created.json.Mountpoint, '/volumes/v');
  assert.equal((await call('POST', '/volumes/create')).status, 201);
  assert.equal((await call('GET', '/volumes')).json.Volumes.length, 2);
  const labelled = encodeURIComponent('{"label":{"a":true}}');
  assert.equal((await call('GET', `/volumes?filters=${labelled}`)).json.Volumes.length, 1);
  const mounted = { Mounts: [{ Type: 'volume', Source: 'v', Target: '/d' }] };
  await call('POST', '/containers/create', { Image: 'alpine', HostConfig: mounted });
  const dangling = encodeURIComponent('{"dangling":{"true":true}}');
  const { json } = await call('GET', `/volumes?filters=${dangling}`);
  assert.deepEqual(json.Volumes[0].Name, 'generated');
  assert.equal((await call('DELETE', '/volumes/v')).status, 204);
  assert.equal((await call('GET', '/volumes/v')).json.message, 'get v: no such volume');
  assert.deepEqual((await call('POST', '/volumes/prune')).json.VolumesDeleted, ['old']);
});

test('disk usage', async () => {
  const { call } = await apiBench({ swarm: false });
  await call('POST', '/volumes/create', { Name: 'v' });
  const { json } = await call('GET', '/system/df');
  assert.equal(json.LayersSize, 8_000_000);
  assert.deepEqual(json.Volumes[0].UsageData, { RefCount: 0, Size: -1 });
});

test('a login is tried at the registry', async (t) => {
  const registry = createServer((request, response) => {
    const right = `Basic ${Buffer.from('u:p').toString('base64')}`;
    const granted = request.headers.authorization === right;
    const address = registry.address() as AddressInfo;
    const realm = `http://127.0.0.1:${address.port}/token`;
    const isToken = request.url?.startsWith('/token');
    if (!isToken) response.setHeader('www-authenticate', `Bearer realm="${realm}",service="reg"`);
    if (isToken) assert.match(request.url ?? '', /account=.*service=reg/);
    response.writeHead(isToken && granted ? 200 : 401).end();
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => registry.close());
  const serveraddress = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
  const { call } = await apiBench({ swarm: false });
  const good = await call('POST', '/auth', { username: 'u', password: 'p', serveraddress });
  assert.deepEqual(good.json, { Status: 'Login Succeeded', IdentityToken: '' });
  const bad = await call('POST', '/auth', { username: 'u', password: 'x', serveraddress });
  assert.equal(bad.status, 401);
  assert.match(bad.json.message, /incorrect username or password$/);
});

test('a registry that does not answer is waited for 15 s', async (t) => {
  const clock = new VirtualClock();
  let asked = 0;
  const serverAddress = await deafServer(t, () => asked++);
  const login = registryLogin({ clock }, { username: 'u', password: 'p', serverAddress });
  const refused = assert.rejects(login, {
    code: 'SWM_UNAVAILABLE',
    message: `cannot reach the registry at http://${serverAddress}/v2/: no answer within 15 s`,
  });
  await eventually(() => assert.equal(asked, 1));
  await clock.advance(15_000);
  await refused;
  assert.equal(clock.pending, 0);
});

test('where a registry is', () => {
  assert.equal(registryUrl(''), 'https://registry-1.docker.io');
  assert.equal(registryUrl('https://index.docker.io/v1/'), 'https://registry-1.docker.io');
  assert.equal(registryUrl('localhost:5000'), 'http://localhost:5000');
  assert.equal(registryUrl('reg.example.com'), 'https://reg.example.com');
  assert.throws(() => tokenUrl('Bearer service="x"', 'u'), { code: 'SWM_UNAVAILABLE' });
});
