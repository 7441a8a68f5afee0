import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, Lab, logText, skipReason } from './harness.ts';

interface Inspected {
  Id: string;
  Name: string;
  Path: string;
  Args: string[];
  Image: string;
  Created: string;
  State: { Running: boolean };
  HostConfig: { NetworkMode: string };
  NetworkSettings: {
    Ports: unknown;
    Networks: { bridge: { IPAddress: string; IPPrefixLen: number } };
  };
}

describe('the life of a container', { skip: skipReason }, () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.open();
  });
  after(() => lab?.close());

  const actionsOf = (id: string) =>
    lab.events.filter((event) => event.id === id).map(({ action }) => action);

  it('is told in events, as Docker tells it', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      { Image: 'busybox', Cmd: ['sleep', '600'], Labels: { color: 'blue' }, StopTimeout: 0 },
      { name: 'told' },
    );
    await engine.startContainer(id);
    await engine.pause(id);
    assert.equal(engine.get(id).state.status, 'paused');
    await engine.unpause(id);
    await engine.rename(id, 'renamed');
    assert.equal(await engine.stopContainer('renamed'), true);
    assert.equal(await engine.stopContainer('renamed'), false);
    await engine.remove('renamed', { force: false, volumes: true });
    assert.deepEqual(actionsOf(id), [
      'create',
      'start',
      'pause',
      'unpause',
      'rename',
      'kill',
      'kill',
      'die',
      'stop',
      'destroy',
    ]);
    const die = lab.events.find((event) => event.id === id && event.action === 'die')!;
    assert.equal(die.attributes['exitCode'], '137');
    assert.equal(die.attributes['color'], 'blue');
    assert.equal(die.attributes['name'], 'renamed');
    assert.equal(die.attributes['image'], 'busybox');
    const connect = lab.events.find((event) => event.action === 'connect')!;
    assert.equal(connect.attributes['container'], id);
  });

  it('uses each name once', async () => {
    const { engine } = lab;
    const { id } = await engine.create({ Image: 'busybox' }, { name: 'c1' });
    await assert.rejects(engine.create({ Image: 'busybox' }, { name: 'c1' }), {
      code: 'SWM_CONFLICT',
      message: `Conflict. The container name "/c1" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    });
    assert.equal(engine.get(id.slice(0, 12)).name, 'c1');
    await engine.remove('c1', { force: false, volumes: false });
    await assert.rejects(
      engine.create({ Image: 'busybox' }, { name: 'a b' }),
      /Invalid container name/,
    );
  });

  it('leaves nothing behind when a start fails, and says why', async () => {
    const { engine } = lab;
    const { id } = await engine.create({ Image: 'busybox', Cmd: ['nosuch'] }, {});
    await assert.rejects(engine.startContainer(id), {
      code: 'SWM_INVALID_ARGUMENT',
      message: /^failed to create task for container: .*"nosuch": executable file not found/,
    });
    const { state } = engine.get(id);
    assert.deepEqual([state.status, state.exitCode], ['created', 127]);
    assert.equal(lab.netdriver.sandbox(id), undefined);
    assert.deepEqual(await engine.runtime.tasks.list(), []);
    assert.deepEqual(await readdir(join(lab.dir, 'run/io', id)), []);
    await engine.remove(id, { force: false, volumes: false });

    const before = await engine.runtime.snapshots.keys({ 'swarm/engine': join(lab.dir, 'state') });
    await assert.rejects(
      engine.create(
        { Image: 'busybox', HostConfig: { Binds: ['v1:/x', '/relative/../..:relative'] } },
        { name: 'half' },
      ),
      /mount path must be absolute/,
    );
    assert.deepEqual(
      await engine.runtime.snapshots.keys({ 'swarm/engine': join(lab.dir, 'state') }),
      before,
    );
    assert.deepEqual(engine.volumes.list(), []);
    assert.deepEqual(await readdir(join(lab.dir, 'state/containers')), []);
  });

  it('removes itself when asked to', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      {
        Image: 'busybox',
        Cmd: ['sh', '-c', 'exit 4'],
        Volumes: { '/data': {} },
        HostConfig: { AutoRemove: true },
      },
      {},
    );
    const removed = engine.wait(id, 'removed');
    await engine.startContainer(id);
    assert.deepEqual(await removed, { exitCode: 4 });
    assert.throws(() => engine.get(id), /No such container/);
    assert.deepEqual(engine.volumes.list(), []);
  });

  it('removes itself when it cannot start, and tells whoever waits for that', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      { Image: 'busybox', Cmd: ['nosuch'], HostConfig: { AutoRemove: true } },
      {},
    );
    const removed = engine.wait(id, 'removed');
    await assert.rejects(engine.startContainer(id), /executable file not found/);
    assert.deepEqual(await removed, { exitCode: 127 });
    assert.throws(() => engine.get(id), /No such container/);
  });

  it('is started again by its restart policy until it is stopped', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      {
        Image: 'busybox',
        Cmd: ['sh', '-c', 'sleep 0.05; exit 1'],
        HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
      },
      {},
    );
    await engine.startContainer(id);
    await eventually(() => engine.get(id).restartCount === 2);
    await eventually(() => engine.get(id).state.status === 'exited');
    const deaths = () => actionsOf(id).filter((action) => action === 'die').length;
    await eventually(() => deaths() === 3);
    await engine.remove(id, { force: false, volumes: false });

    const always = await engine.create(
      {
        Image: 'busybox',
        Cmd: ['sleep', '600'],
        StopTimeout: 0,
        HostConfig: { RestartPolicy: { Name: 'always' } },
      },
      {},
    );
    await engine.startContainer(always.id);
    const { pid } = engine.get(always.id).state;
    process.kill(pid, 'SIGKILL');
    await eventually(() => ![0, pid].includes(engine.get(always.id).state.pid));
    await engine.stopContainer(always.id);
    assert.equal(engine.get(always.id).state.status, 'exited');
    await engine.remove(always.id, { force: false, volumes: false });
  });

  it('is removed by force even when it is paused', async () => {
    const { engine } = lab;
    const { id } = await engine.create({ Image: 'busybox', Cmd: ['sleep', '600'] }, {});
    await engine.startContainer(id);
    await engine.pause(id);
    await engine.remove(id, { force: true, volumes: false });
    assert.throws(() => engine.get(id), /No such container/);
  });

  it('stops by its own signal, and at once when it listens', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      {
        Image: 'busybox',
        Cmd: ['sh', '-c', 'trap "exit 8" USR1; echo ready; while true; do sleep 0.02; done'],
        StopSignal: 'SIGUSR1',
      },
      {},
    );
    await engine.startContainer(id);
    const logs = { stdout: true, stderr: false, follow: false };
    await eventually(async () => (await logText(engine.logs(id, logs))) === 'ready\n');
    await engine.stopContainer(id);
    assert.equal(engine.get(id).state.exitCode, 8);
    await engine.restart(id);
    assert.equal(engine.get(id).state.status, 'running');
    await assert.rejects(engine.remove(id, { force: false, volumes: false }), {
      code: 'SWM_CONFLICT',
      message: /cannot remove container ".*": container is running: stop the container before/,
    });
    await engine.kill(id, 'KILL');
    assert.deepEqual(await engine.wait(id, 'not-running'), { exitCode: 137 });
    await assert.rejects(engine.kill(id), /is not running/);
    await engine.remove(id, { force: false, volumes: false });
  });

  it('joins and leaves networks while it runs', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      { Image: 'busybox', Cmd: ['sleep', '600'] },
      { name: 'net' },
    );
    await engine.startContainer(id);
    await engine.connectNetwork('extra', id, { Aliases: ['other'] });
    const settings = async () =>
      ((await engine.inspect(id))['NetworkSettings'] as { Networks: Record<string, unknown> })
        .Networks;
    assert.deepEqual(Object.keys(await settings()).sort(), ['bridge', 'extra']);
    await assert.rejects(engine.connectNetwork('extra', id, {}), /already exists in network extra/);
    await engine.disconnectNetwork('extra', id, false);
    assert.deepEqual(Object.keys(await settings()), ['bridge']);
    await assert.rejects(engine.disconnectNetwork('extra', id, false), /is not connected to/);
    await assert.rejects(engine.connectNetwork('nope', id, {}), {
      code: 'SWM_NOT_FOUND',
      message: 'network nope not found',
    });
    await engine.remove(id, { force: true, volumes: false });
  });

  it('takes an address on a swarm network and gives it back', async () => {
    const { engine } = lab;
    const calls: string[] = [];
    const network = { ...lab.netdriver.localNetworks()[0]!, name: 'overlay', id: 'o'.repeat(25) };
    engine.setSwarmAttacher({
      async attach(request) {
        calls.push(`attach ${request.network} ${request.addresses}`);
        return {
          attachmentId: `a${calls.length}`,
          endpoint: { network, addresses: ['10.0.1.9/24'], aliases: request.aliases },
        };
      },
      async detach(attachmentId) {
        calls.push(`detach ${attachmentId}`);
      },
    });
    const { id } = await engine.create(
      {
        Image: 'busybox',
        Cmd: ['sleep', '600'],
        StopTimeout: 0,
        HostConfig: { NetworkMode: 'overlay' },
        NetworkingConfig: {
          EndpointsConfig: { overlay: { IPAMConfig: { IPv4Address: '10.0.1.9' } } },
        },
      },
      {},
    );
    await engine.startContainer(id);
    assert.equal(engine.get(id).endpoints[0]!.addresses[0], '10.0.1.9/24');
    await engine.stopContainer(id);
    await engine.startContainer(id);
    await engine.disconnectNetwork('overlay', id, false);
    await engine.connectNetwork('overlay', id, {});
    await engine.remove(id, { force: true, volumes: false });
    assert.deepEqual(calls, [
      'attach overlay 10.0.1.9',
      'detach a1',
      'attach overlay 10.0.1.9',
      'detach a3',
      'attach overlay ',
      'detach a5',
    ]);
    engine.setSwarmAttacher(undefined);
  });

  it('is shown by inspect in Docker’s shape', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      {
        Image: 'busybox',
        Cmd: ['sleep', '600'],
        ExposedPorts: { '80/tcp': {}, '81/tcp': {} },
        HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
      },
      { name: 'seen' },
    );
    await engine.startContainer(id);
    const seen = (await engine.inspect('seen')) as unknown as Inspected;
    assert.equal(seen.Id, id);
    assert.equal(seen.Name, '/seen');
    assert.equal(seen.Path, 'sleep');
    assert.deepEqual(seen.Args, ['600']);
    assert.match(seen.Image, /^sha256:[0-9a-f]{64}$/);
    assert.match(seen.Created, /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.equal(seen.State.Running, true);
    assert.deepEqual(seen.NetworkSettings.Ports, {
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8080' },
        { HostIp: '::', HostPort: '8080' },
      ],
      '81/tcp': null,
    });
    const { bridge } = seen.NetworkSettings.Networks;
    assert.equal(bridge.IPAddress, '10.9.8.7');
    assert.equal(bridge.IPPrefixLen, 24);
    assert.equal(seen.HostConfig.NetworkMode, 'bridge');
    await engine.remove(id, { force: true, volumes: false });
  });
});
