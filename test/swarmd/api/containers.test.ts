import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusText } from '../../../swarmd/api/convert/container-summary.ts';
import { humanDuration } from '../../../swarmd/api/convert/human-duration.ts';
import type { ContainerState } from '../../../worker/index.ts';
import { type ApiBench, apiBench } from './bench.ts';

async function create({ call }: ApiBench, name: string, body: object = {}): Promise<string> {
  const { status, json } = await call('POST', `/v1.50/containers/create?name=${name}`, {
    Image: 'alpine',
    Cmd: ['sleep', '100'],
    ...body,
  });
  assert.equal(status, 201, JSON.stringify(json));
  return json.Id;
}

test('the life of a container', async () => {
  const bench = await apiBench({ swarm: false });
  const id = await create(bench, 'c1');
  const post = async (action: string) =>
    (await bench.call('POST', `/containers/c1/${action}`)).status;
  assert.equal(await post('start'), 204);
  assert.equal(await post('start'), 304);
  assert.equal(await post('pause'), 204);
  assert.equal(await post('unpause'), 204);
  assert.equal(await post('resize?h=24&w=80'), 200);
  assert.equal(await post('restart?t=1'), 204);
  assert.equal(await post('kill?signal=HUP'), 204);
  assert.equal(await post('stop?t=3&signal=SIGINT'), 304);
  assert.equal(await post('rename?name=c2'), 204);
  assert.equal((await bench.call('GET', '/containers/c2/json')).json.Id, id);
  assert.equal((await bench.call('DELETE', '/containers/c2?force=1&v=1')).status, 204);
  const gone = await bench.call('GET', '/containers/c2/json');
  assert.deepEqual([gone.status, gone.json.message], [404, 'No such container: c2']);
  assert.ok(bench.node.engine.calls.includes('kill HUP'));
  assert.ok(bench.node.engine.calls.includes('stop {"timeout":3,"signal":"SIGINT"}'));
});

test('limits are changed, differences listed, and the file system exported', async () => {
  const bench = await apiBench({ swarm: false });
  await create(bench, 'c1');
  const update = await bench.call('POST', '/containers/c1/update', { Memory: 1 << 26 });
  assert.deepEqual([update.status, update.json], [200, { Warnings: ['not now'] }]);
  assert.ok(bench.node.engine.calls.includes('update {"Memory":67108864}'));
  const bad = await bench.call('POST', '/containers/c1/update', { Memory: 'much' });
  assert.equal(bad.status, 400);
  const changes = await bench.call('GET', '/containers/c1/changes');
  assert.deepEqual(changes.json, [{ Path: '/etc/motd', Kind: 0 }]);
  const exported = await bench.call('GET', '/containers/c1/export');
  assert.deepEqual([exported.status, exported.text], [200, 'all of c1']);
  assert.equal((await bench.call('GET', '/containers/nope/export')).status, 404);
});

test('creating: the image must be here, the name free, the body sound', async () => {
  const bench = await apiBench({ swarm: false });
  await create(bench, 'c1');
  const refusal = async (body: object, query = '') => {
    const answer = await bench.call('POST', `/containers/create${query}`, body);
    return [answer.status, answer.json.message];
  };
  assert.deepEqual(await refusal({ Image: 'nope' }), [404, 'No such image: nope:latest']);
  const taken = await refusal({ Image: 'alpine' }, '?name=c1');
  assert.equal(taken[0], 409);
  assert.match(String(taken[1]), /^Conflict\. The container name "\/c1" is already in use by/);
  assert.equal((await refusal({}))[0], 400);
  assert.match(String((await refusal({ Image: 'alpine', Env: 'A=b' }))[1]), /Env must be a list/);
  const HostConfig = { Mounts: [{ Type: 'npipe', Target: '/x' }] };
  assert.match(String((await refusal({ Image: 'alpine', HostConfig }))[1]), /mount type unknown/);
  const PortBindings = { '80/tcp': [{ HostPort: 'x' }] };
  const bad = await refusal({ Image: 'alpine', HostConfig: { PortBindings } });
  assert.deepEqual(bad, [400, 'invalid port specification: "x"']);
});

test('a command may be one string, and unknown fields are kept', async () => {
  const bench = await apiBench({ swarm: false });
  const body = { Cmd: 'sleep', Entrypoint: null, HostConfig: { BlkioWeight: 5 } };
  const id = await create(bench, 'c1', body);
  const { config, hostConfig } = bench.node.engine.get(id);
  assert.deepEqual(config.Cmd, ['sleep']);
  assert.equal(config.Entrypoint, null);
  assert.equal(hostConfig['BlkioWeight'], 5);
});

test('the list shows what runs, or all, or what the filters say', async () => {
  const bench = await apiBench({ swarm: false });
  await create(bench, 'up', { Labels: { a: 'b' }, Entrypoint: ['/bin/sh', '-c'], Cmd: ['x y'] });
  await create(bench, 'down', { ExposedPorts: { '80/tcp': {}, '443/tcp': {} } });
  await bench.call('POST', '/containers/up/start');
  const list = async (query: string) => (await bench.call('GET', `/containers/json${query}`)).json;
  const names = async (query: string) =>
    (await list(query)).map(({ Names }: { Names: string[] }) => Names[0]).sort();
  const filter = (json: object) => `?filters=${encodeURIComponent(JSON.stringify(json))}`;
  assert.deepEqual(await names(''), ['/up']);
  assert.deepEqual(await names('?all=1'), ['/down', '/up']);
  assert.equal((await names('?limit=1')).length, 1);
  assert.deepEqual(await names(filter({ status: { created: true } })), ['/down']);
  assert.deepEqual(await names(filter({ name: { '^u': true } })), ['/up']);
  assert.deepEqual(await names(filter({ label: { 'a=b': true } })), ['/up']);
  assert.deepEqual(await names(filter({ ancestor: { alpine: true } })), ['/up']);
  assert.deepEqual(await names(filter({ ancestor: { other: true } })), []);
  assert.deepEqual(await names(filter({ 'is-task': { true: true } })), []);
  assert.deepEqual(await names(filter({ publish: { '8080': true } })), ['/up']);
  assert.deepEqual(await names(`${filter({ expose: { '443/tcp': true } })}&all=1`), ['/down']);
  const [up] = await list('?size=1');
  assert.equal(up.Command, "/bin/sh -c 'x y'");
  assert.equal(up.State, 'running');
  assert.match(up.Status, /^Up /);
  assert.equal(up.SizeRw, 0);
  assert.deepEqual(up.Ports, [
    { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
  ]);
  const down = (await list('?all=1')).find(({ State }: { State: string }) => State === 'created');
  assert.deepEqual(down.Ports.at(-1), { PrivatePort: 443, Type: 'tcp' });
});

test('the status in words', () => {
  const now = 10_000_000;
  const state = (change: Partial<ContainerState>): ContainerState => ({
    status: 'running',
    pid: 1,
    exitCode: 0,
    error: '',
    oomKilled: false,
    startedAt: now - 300_000,
    finishedAt: now - 7_200_000,
    health: 'none',
    ...change,
  });
  assert.equal(statusText(state({}), now), 'Up 5 minutes');
  assert.equal(statusText(state({ health: 'healthy' }), now), 'Up 5 minutes (healthy)');
  assert.equal(statusText(state({ health: 'starting' }), now), 'Up 5 minutes (health: starting)');
  assert.equal(statusText(state({ status: 'paused' }), now), 'Up 5 minutes (Paused)');
  assert.equal(statusText(state({ status: 'exited', exitCode: 3 }), now), 'Exited (3) 2 hours ago');
  assert.equal(statusText(state({ status: 'created' }), now), 'Created');
});

test('spans of time in words', () => {
  const cases: [number, string][] = [
    [0.5, 'Less than a second'],
    [1, '1 second'],
    [59, '59 seconds'],
    [60, 'About a minute'],
    [3_599, '59 minutes'],
    [3_600, 'About an hour'],
    [40 * 3_600, '40 hours'],
    [3 * 86_400, '3 days'],
    [20 * 86_400, '2 weeks'],
    [90 * 86_400, '3 months'],
    [800 * 86_400, '2 years'],
  ];
  for (const [seconds, words] of cases) assert.equal(humanDuration(seconds * 1_000), words);
});

test('pruning removes what has ended, and no task', async () => {
  const bench = await apiBench({ swarm: false });
  const id = await create(bench, 'ended');
  await create(bench, 'running');
  await bench.call('POST', '/containers/running/start');
  const { json } = await bench.call('POST', '/containers/prune');
  assert.deepEqual(json, { ContainersDeleted: [id], SpaceReclaimed: 0 });
});

test('top, and what is not supported', async () => {
  const bench = await apiBench({ swarm: false });
  await create(bench, 'c1');
  assert.deepEqual((await bench.call('GET', '/containers/c1/top?ps_args=aux')).json.Titles, [
    'UID',
    'PID',
    'CMD',
  ]);
  assert.equal((await bench.call('POST', '/build')).status, 501);
});

test('stats: one sample, or two for rates', async () => {
  const bench = await apiBench({ swarm: false });
  await create(bench, 'c1');
  const { json: single } = await bench.call('GET', '/containers/c1/stats?stream=0&one-shot=1');
  assert.equal(single.preread, '0001-01-01T00:00:00Z');
  assert.equal(single.precpu_stats.cpu_usage.total_usage, 0);
});

test('archives carry the stat of their path', async () => {
  const bench = await apiBench({ swarm: false });
  await create(bench, 'c1');
  const url = '/containers/c1/archive?path=/f';
  const get = await bench.call('GET', url);
  assert.equal(get.text, 'tar bytes');
  assert.equal(get.headers['content-type'], 'application/x-tar');
  const head = await bench.call('HEAD', url);
  const stat = String(head.headers['x-docker-container-path-stat']);
  assert.equal(JSON.parse(Buffer.from(stat, 'base64').toString()).name, 'f');
  assert.equal(head.status, 200);
  const missing = await bench.call('HEAD', '/containers/c1/archive?path=/nope');
  assert.equal(missing.status, 404);
  const put = await bench.app.inject({
    method: 'PUT',
    url: '/containers/c1/archive?path=/tmp&noOverwriteDirNonDir=true',
    payload: Buffer.alloc(2_048),
  });
  assert.equal(put.statusCode, 200);
  assert.deepEqual(bench.node.engine.calls, ['put /tmp 2048']);
  assert.equal((await bench.call('GET', '/containers/c1/archive')).status, 400);
});

test('exec: created, started detached, inspected', async () => {
  const bench = await apiBench({ swarm: false });
  await create(bench, 'c1');
  const body = { Cmd: ['ls'], Env: null, User: 'root', WorkingDir: '' };
  const created = await bench.call('POST', '/containers/c1/exec', body);
  assert.equal(created.status, 201);
  const id = created.json.Id;
  assert.equal((await bench.call('POST', `/exec/${id}/start`, { Detach: true })).status, 200);
  assert.equal((await bench.call('POST', `/exec/${id}/resize?h=1&w=2`)).status, 200);
  const { json } = await bench.call('GET', `/exec/${id}/json`);
  assert.deepEqual([json.ProcessConfig.entrypoint, json.ProcessConfig.user], ['ls', 'root']);
  const empty = await bench.call('POST', '/containers/c1/exec', { Cmd: [] });
  assert.deepEqual([empty.status, empty.json.message], [400, 'No exec command specified']);
  assert.equal((await bench.call('GET', '/exec/nope/json')).status, 404);
});
