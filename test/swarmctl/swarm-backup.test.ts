import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { pack } from 'tar-stream';
import { FakeEngine } from './fake-engine.ts';
import { run } from './run.ts';

const FILES = { 'raft/keys.json': '{}', 'raft/snapshot/00000000': 'sealed' };
const INFO = {
  SystemTime: '2026-11-22T01:02:03.4Z',
  Swarm: { LocalNodeState: 'inactive', ControlAvailable: false },
};

async function archive(init: { locked?: boolean; cut?: boolean; changed?: boolean } = {}) {
  const tar = pack();
  const files = [];
  for (const [name, content] of Object.entries(FILES)) {
    const sha256 = createHash('sha256').update(content).digest('hex');
    files.push({ name, size: content.length, sha256 });
    tar.entry({ name }, init.changed ? content.toUpperCase().replace('{}', '[]') : content);
  }
  const manifest = {
    format: 1,
    createdAt: '2026-11-22T01:00:00.000Z',
    clusterId: 'c1',
    nodeId: 'n1',
    index: 77,
    locked: init.locked ?? false,
    membership: {
      members: [
        { nodeId: 'n1', addr: '10.0.0.1:2377' },
        { nodeId: 'n2', addr: '10.0.0.2:2377' },
      ],
    },
    objects: { cluster: 1, node: 2, service: 1, secret: 0 },
    files,
  };
  if (!init.cut) tar.entry({ name: 'manifest.json' }, JSON.stringify(manifest));
  tar.finalize();
  return buffer(tar);
}

async function setUp(t: TestContext) {
  const engine = await FakeEngine.start();
  const dir = await mkdtemp(join(tmpdir(), 'swarmctl-backup-'));
  t.after(async () => {
    await engine.stop();
    await rm(dir, { recursive: true });
  });
  return { engine, dir, path: join(dir, 'b.tar') };
}

test('a backup is verified, for its owner alone, and replaces nothing', async (t) => {
  const { engine, path } = await setUp(t);
  const body = await archive();
  engine.serve({ 'GET /info': { json: INFO }, 'GET /swarm/backup': { body } });
  const args = ['swarm', 'backup', '-o', path];
  const saved = await run(engine, args);
  assert.equal(saved.code, 0, saved.stderr);
  assert.match(saved.stdout, /^Saved and verified .*b\.tar/);
  assert.match(saved.stdout, /cluster c1, as manager n1 knew it at .* \(log index 77\)/);
  assert.match(saved.stdout, /2 nodes, 1 service\n/);
  assert.match(saved.stderr, /It is not encrypted/);
  assert.deepEqual(await readFile(path), body);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const again = await run(engine, args);
  assert.match(again.stderr, /b\.tar exists: --force replaces it/);
  assert.equal((await run(engine, [...args, '--force', '--local'])).code, 0);
  assert.equal(engine.requests.at(-1)?.query['local'], '1');
});

test('what is not whole is no backup, and leaves none behind', async (t) => {
  const { engine, dir, path } = await setUp(t);
  for (const [init, message] of [
    [{ cut: true }, /it was cut short/],
    [{ changed: true }, /"raft\/keys\.json" was changed/],
  ] as const) {
    const body = await archive(init);
    engine.serve({ 'GET /info': { json: INFO }, 'GET /swarm/backup': { body } });
    const result = await run(engine, ['swarm', 'backup', '-o', path]);
    assert.deepEqual([result.code, result.stdout], [1, '']);
    assert.match(result.stderr, message);
    assert.deepEqual(await readdir(dir), []);
    await writeFile(path, body);
    const recovering = await run(engine, ['swarm', 'recover', path, '--yes']);
    assert.match(recovering.stderr, message);
    await rm(path);
  }
});

test('recovering shows its plan, and asks', async (t) => {
  const { engine, path } = await setUp(t);
  await writeFile(path, await archive({ locked: true }));
  engine.serve({ 'GET /info': { json: INFO }, 'POST /swarm/recover': { json: 'n1' } });
  const args = ['swarm', 'recover', path, '--advertise-addr', '10.9.0.1'];
  const refused = await run(engine, args, { stdin: 'n\n' });
  assert.match(refused.stdout, /becomes the only manager of the swarm in the backup/);
  assert.match(refused.stdout, /manager n2 \(10\.0\.0\.2:2377\) is a member no more/);
  assert.match(refused.stdout, /is at 10\.9\.0\.1 now/);
  assert.deepEqual(engine.asked, ['GET /info']);
  assert.deepEqual([refused.code, refused.stderr], [1, 'Nothing was changed.\n']);

  const done = await run(engine, [...args, '--yes'], { stdin: 'SWMKEY-1-x\n' });
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /Swarm recovered: current node \(n1\) is its only manager\./);
  const request = engine.requests.at(-1)!;
  assert.equal(request.headers['x-swarm-unlock-key'], 'SWMKEY-1-x');
  assert.equal(request.query['advertiseAddr'], '10.9.0.1');
  assert.deepEqual(request.body, await readFile(path));
});

test('a node of a swarm recovers no backup, and one outside needs one', async (t) => {
  const { engine, path } = await setUp(t);
  await writeFile(path, await archive());
  engine.serve({ 'GET /info': { json: INFO } });
  const without = await run(engine, ['swarm', 'recover']);
  assert.match(without.stderr, /name the backup to recover from/);
  engine.serve({ 'GET /info': { json: { Swarm: { LocalNodeState: 'active' } } } });
  const member = await run(engine, ['swarm', 'recover', path]);
  assert.match(member.stderr, /a backup is recovered on a node that is in none/);
  assert.match((await run(engine, ['swarm', 'recover'])).stderr, /not a manager that serves/);
  engine.serve({ 'GET /info': { json: { Swarm: { LocalNodeState: 'locked' } } } });
  const locked = await run(engine, ['swarm', 'recover']);
  assert.equal(
    locked.stderr,
    'this manager is locked: unlock it first, with `swarmctl swarm unlock`\n',
  );
  const damaged = { LocalNodeState: 'error', Error: '/x/keys.json is damaged.' };
  engine.serve({ 'GET /info': { json: { Swarm: damaged } } });
  const broken = await run(engine, ['swarm', 'recover']);
  assert.match(broken.stderr, /only managers have the state of the swarm\n\/x\/keys\.json is dam/);
});

test('without a leader, a backup is refused with the one that is to be had', async (t) => {
  const { engine, path } = await setUp(t);
  const json = { message: 'The swarm does not have a leader.' };
  engine.serve({ 'GET /info': { json: INFO }, 'GET /swarm/backup': { status: 503, json } });
  const refused = await run(engine, ['swarm', 'backup', '-o', path]);
  assert.equal(
    refused.stderr,
    'Error response from daemon: The swarm does not have a leader.\n--local saves what this manager knows.\n',
  );
});

test('what is no file is neither written to nor recovered from', async (t) => {
  const { engine, dir } = await setUp(t);
  engine.serve({ 'GET /info': { json: INFO } });
  const backup = (path: string) => run(engine, ['swarm', 'backup', '--force', '-o', path]);
  assert.equal((await backup(dir)).stderr, `${dir} is a directory: name a file in it\n`);
  assert.equal((await backup('/dev/null')).stderr, '/dev/null is not a file\n');
  const recovering = await run(engine, ['swarm', 'recover', '--yes', join(dir, 'none.tar')]);
  assert.match(recovering.stderr, /^cannot read .*none\.tar: ENOENT/);
});

test('a survivor goes on with its own state', async (t) => {
  const { engine } = await setUp(t);
  const Swarm = {
    NodeID: 'n1',
    NodeAddr: '10.0.0.1',
    LocalNodeState: 'active',
    ControlAvailable: true,
    RemoteManagers: [
      { NodeID: 'n1', Addr: '10.0.0.1:2377' },
      { NodeID: 'n2', Addr: '10.0.0.2:2377' },
    ],
  };
  const lost = { status: 503, json: { message: 'no leader' } };
  engine.serve({
    'GET /info': { json: { Swarm } },
    'GET /nodes': lost,
    'POST /swarm/init': { json: 'n1' },
  });
  const done = await run(engine, ['swarm', 'recover'], { stdin: 'y\n' });
  assert.match(done.stdout, /manager n2 \(10\.0\.0\.2:2377\) is a member no more/);
  assert.doesNotMatch(done.stdout, /WARNING/);
  assert.match(done.stdout, /Swarm recovered/);
  assert.deepEqual(engine.sent('POST /swarm/init'), {
    ForceNewCluster: true,
    ListenAddr: '',
    AdvertiseAddr: '',
    DataPathAddr: '',
  });
  engine.serve({ 'GET /info': { json: { Swarm } }, 'GET /nodes': { json: [] } });
  const healthy = await run(engine, ['swarm', 'recover'], { stdin: 'n\n' });
  assert.match(healthy.stdout, /WARNING: this swarm has a leader and needs no recovery/);
});
