import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { testCases } from './cases.ts';
import { FakeEngine } from './fake-engine.ts';
import { FakeTerminal, run } from './run.ts';

const now = () => new Date(Date.now() - 200_000).toISOString();
const spec = { Name: 'one', Labels: { a: 'b' }, Data: Buffer.from('text').toString('base64') };
const config = { ID: 'idc', Version: { Index: 1 }, CreatedAt: now(), UpdatedAt: now(), Spec: spec };
const secret = { ...config, ID: 'ids', Spec: { Name: 'one', Labels: {}, Driver: { Name: 'd' } } };
const missing = { status: 404, json: { message: 'secret nope not found' } };

testCases('secrets and configs', [
  {
    args: ['secret', 'create', '-l', 'a=b', '--template-driver', 'golang', 'one', '-'],
    stdin: 'text',
    routes: { 'POST /secrets/create': { status: 201, json: { ID: 'ids' } } },
    sent: {
      'POST /secrets/create': {
        Name: 'one',
        Labels: { a: 'b' },
        Data: 'dGV4dA==',
        Templating: { Name: 'golang' },
      },
    },
    stdout: 'ids\n',
  },
  {
    args: ['secret', 'create', '-d', 'vault', 'one'],
    routes: { 'POST /secrets/create': { status: 201, json: { ID: 'ids' } } },
    sent: { 'POST /secrets/create': { Name: 'one', Labels: {}, Driver: { Name: 'vault' } } },
    stdout: 'ids\n',
  },
  { args: ['secret', 'create', 'one'], code: 1, stderr: 'secret file is required\n' },
  {
    args: ['secret', 'create', 'one', '-'],
    code: 1,
    stderr: 'error reading from STDIN: data is empty\n',
  },
  {
    args: ['config', 'create', 'one', '/nonexistent'],
    code: 1,
    stderr: /^error reading from \/nonex/,
  },
  { args: ['config', 'create', 'one'], code: 1, stderr: /missing required argument 'file\|-'/ },
  {
    args: ['secret', 'ls'],
    routes: { 'GET /secrets': { json: [secret] } },
    stdout: [
      'ID        NAME      DRIVER    CREATED         UPDATED',
      'ids       one       d         3 minutes ago   3 minutes ago',
    ],
  },
  {
    args: ['config', 'ls', '-f', 'name=o', '--format', '{{.ID}} {{.Labels}}'],
    routes: { 'GET /configs': { json: [config] } },
    asked: ['GET /configs?filters={"name":{"o":true}}'],
    stdout: 'idc a=b\n',
  },
  {
    args: ['config', 'inspect', '--pretty', 'one'],
    routes: { 'GET /configs/one': { json: config } },
    stdout: /^ID: {14}idc\nName: {12}one\nLabels:\n - a=b\nCreated at: [\s\S]*\nData:\ntext\n$/,
  },
  {
    args: ['secret', 'inspect', 'nope'],
    routes: { 'GET /secrets/nope': missing },
    code: 1,
    stdout: '[]\n',
    stderr: 'Error response from daemon: secret nope not found\n',
  },
  {
    args: ['secret', 'rm', 'one', 'nope'],
    routes: { 'DELETE /secrets/one': { status: 204 }, 'DELETE /secrets/nope': missing },
    code: 1,
    stdout: 'one\n',
    stderr: 'Error response from daemon: secret nope not found\n',
  },
]);

const volume = {
  Name: 'v1',
  Driver: 'local',
  Mountpoint: '/m',
  Scope: 'local',
  Labels: { a: 'b' },
};

testCases('volumes', [
  {
    args: ['volume', 'create', '--label', 'a=b', '-o', 'type=nfs', 'v1'],
    routes: { 'POST /volumes/create': { status: 201, json: volume } },
    sent: {
      'POST /volumes/create': {
        Name: 'v1',
        Driver: 'local',
        DriverOpts: { type: 'nfs' },
        Labels: { a: 'b' },
      },
    },
    stdout: 'v1\n',
  },
  { args: ['volume', 'create', '--name', 'a', 'b'], code: 1, stderr: /^conflicting options/ },
  {
    args: ['volume', 'ls', '-f', 'dangling=true'],
    routes: { 'GET /volumes': { json: { Volumes: [{ ...volume, Name: 'v10' }, volume] } } },
    asked: ['GET /volumes?filters={"dangling":{"true":true}}'],
    stdout: ['DRIVER    VOLUME NAME', 'local     v1', 'local     v10'],
  },
  { args: ['volume', 'ls', '-q'], routes: { 'GET /volumes': { json: { Volumes: null } } } },
  {
    args: ['volume', 'inspect', '-f', '{{.Mountpoint}} {{.Labels.a}}', 'v1', 'nope'],
    routes: { 'GET /volumes/v1': { json: volume } },
    code: 1,
    stdout: '/m b\n',
    stderr: 'Error response from daemon: get nope: no such volume\n',
  },
  {
    args: ['volume', 'rm', '-f', 'v1'],
    routes: { 'DELETE /volumes/v1': { status: 204 } },
    asked: ['DELETE /volumes/v1?force=1'],
    stdout: 'v1\n',
  },
  {
    args: ['volume', 'prune', '-af'],
    routes: { 'POST /volumes/prune': { json: { VolumesDeleted: ['v1'], SpaceReclaimed: 10 } } },
    asked: ['POST /volumes/prune?filters={"all":{"true":true}}'],
    stdout: ['Deleted Volumes:', 'v1', '', 'Total reclaimed space: 10B'],
  },
]);

testCases('network prune', [
  {
    args: ['network', 'prune', '-f'],
    routes: { 'POST /networks/prune': { json: { NetworksDeleted: ['n1'] } } },
    stdout: ['Deleted Networks:', 'n1', ''],
  },
]);

const swarm = (autolock: boolean) => ({
  'GET /swarm': {
    json: { Version: { Index: 7 }, Spec: { EncryptionConfig: { AutoLockManagers: autolock } } },
  },
  'POST /swarm/update': {},
});
const key = (UnlockKey: string) => ({ 'GET /swarm/unlockkey': { json: { UnlockKey } } });
const manager = (Hostname: string, Reachability: string) => ({
  ID: `id-${Hostname}`,
  Description: { Hostname },
  ManagerStatus: { Reachability, Addr: '10.0.0.1:2377' },
});
const info = (LocalNodeState: string) => ({ 'GET /info': { json: { Swarm: { LocalNodeState } } } });

testCases('the lock of the swarm', [
  { args: ['swarm', 'unlock-key', '-q'], routes: key('SWMKEY-1-x'), stdout: 'SWMKEY-1-x\n' },
  {
    args: ['swarm', 'unlock-key'],
    routes: key('SWMKEY-1-x'),
    stdout: /^To unlock a swarm manager[\s\S]*\n {4}SWMKEY-1-x\n/,
  },
  { args: ['swarm', 'unlock-key'], routes: key(''), code: 1, stderr: 'no unlock key is set\n' },
  {
    args: ['swarm', 'unlock-key', '--rotate', '-q'],
    routes: { ...swarm(true), ...key('new'), 'GET /nodes': { json: [manager('m1', 'reachable')] } },
    asked: [
      'GET /swarm',
      'POST /swarm/update?version=7&rotateManagerUnlockKey=true',
      'GET /nodes',
      'GET /swarm/unlockkey',
    ],
    stdout: 'new\n',
  },
  {
    args: ['swarm', 'unlock-key', '--rotate', '-q'],
    routes: {
      ...swarm(true),
      ...key('new'),
      'GET /nodes': { json: [manager('m1', 'reachable'), manager('m2', 'unreachable')] },
    },
    stdout: 'new\n',
    stderr: 'WARNING: keep the old key: managers that are away need it once more: m2\n',
  },
  {
    args: ['swarm', 'update', '--autolock=false'],
    routes: { ...swarm(true), 'GET /nodes': { json: [manager('m2', 'unreachable')] } },
    stdout: 'Swarm updated.\n',
    stderr: /^WARNING: keep the old key: .*: m2\n$/,
  },
  {
    args: ['swarm', 'unlock-key', '--rotate'],
    routes: swarm(false),
    code: 1,
    stderr: 'cannot rotate because autolock is not turned on\n',
  },
  {
    args: ['swarm', 'unlock'],
    stdin: 'SWMKEY-1-x\n',
    routes: { ...info('locked'), 'POST /swarm/unlock': {} },
    sent: { 'POST /swarm/unlock': { UnlockKey: 'SWMKEY-1-x' } },
    stdout: 'Enter unlock key: \n',
  },
  {
    args: ['swarm', 'unlock'],
    stdin: 'bad\n',
    routes: {
      ...info('locked'),
      'POST /swarm/unlock': {
        status: 401,
        json: { message: 'swarm could not be unlocked: invalid key provided' },
      },
    },
    code: 1,
    stdout: 'Enter unlock key: \n',
    stderr: 'Error response from daemon: swarm could not be unlocked: invalid key provided\n',
  },
  {
    args: ['swarm', 'unlock'],
    routes: info('inactive'),
    code: 1,
    stderr: 'Error: This node is not part of a swarm\n',
  },
  {
    args: ['swarm', 'unlock'],
    routes: info('active'),
    code: 1,
    stderr: 'Error: swarm is not locked\n',
  },
]);

test('the key is not shown while it is typed, and ctrl-c gives up', async () => {
  const engine = await FakeEngine.start();
  const unlock = async (typed: string) => {
    const terminal = new FakeTerminal();
    engine.serve({ ...info('locked'), 'POST /swarm/unlock': {} });
    const running = run(engine, ['swarm', 'unlock'], { terminal });
    await eventually(() => assert.equal(terminal.output.text, 'Enter unlock key: '));
    terminal.type(typed);
    return running;
  };
  try {
    const stdout = 'Enter unlock key: \n';
    assert.deepEqual(await unlock('SWMKEY-1-x\r'), { code: 0, stdout, stderr: '' });
    assert.deepEqual(engine.sent('POST /swarm/unlock'), { UnlockKey: 'SWMKEY-1-x' });
    const { code, stderr } = await unlock('SWM\x03');
    assert.deepEqual([code, stderr], [1, 'there was no answer\n']);
    assert.equal(engine.asked.includes('POST /swarm/unlock'), false);
  } finally {
    await engine.stop();
  }
});
