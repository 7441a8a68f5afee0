import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ContainerCreateBody } from '../../../worker/engine/types.ts';
import { localNetwork } from './fake-netdriver.ts';
import { eventually, Lab, logText, skipReason } from './harness.ts';

const ALL_LOGS = { stdout: true, stderr: true, follow: false };
const S = 1e9;

interface Sample {
  memory_stats: { limit: number; usage: number };
  pids_stats: { current: number; limit: number };
  cpu_stats: { system_cpu_usage: number };
}

describe('what containers can ask for', { skip: skipReason }, () => {
  let lab: Lab;
  let hostDir: string;
  before(async () => {
    lab = await Lab.open();
    hostDir = await mkdtemp(join(tmpdir(), 'swarm-bind-'));
    await writeFile(join(hostDir, 'note'), 'bound\n');
  });
  after(async () => {
    await lab?.close();
    await rm(hostDir, { recursive: true, force: true });
  });

  /** Runs a shell command to its end and gives its output. */
  const output = async (
    command: string,
    body: Partial<ContainerCreateBody> = {},
    options: Parameters<Lab['engine']['create']>[1] = {},
  ) => {
    const { engine } = lab;
    const { id } = await engine.create(
      { Image: 'busybox', Cmd: ['sh', '-c', command], ...body },
      options,
    );
    const exit = engine.wait(id, 'next-exit');
    await engine.startContainer(id);
    await exit;
    const text = await logText(engine.logs(id, ALL_LOGS));
    await engine.remove(id, { force: true, volumes: true });
    return text.trim();
  };

  it('sets environment, user, groups, directory and host name', async () => {
    const text = await output('id; echo $FROM_IMAGE $OWN $HOSTNAME $HOME; pwd; hostname', {
      Env: ['OWN=mine'],
      User: 'app',
      WorkingDir: '/tmp',
      Hostname: 'box',
    });
    assert.deepEqual(text.split('\n'), [
      'uid=1000(app) gid=1001(app) groups=10(wheel),1001(app)',
      'yes mine box /home',
      '/tmp',
      'box',
    ]);
  });

  it('shows its names and resolver in /etc', async () => {
    const text = await output('cat /etc/hosts /etc/resolv.conf /etc/hostname', { Hostname: 'box' });
    assert.match(text, /10\.9\.8\.7\tbox/);
    assert.match(text, /nameserver 127\.0\.0\.11/);
    assert.match(text, /\nbox$/);
  });

  it('keeps to what a container may do', async () => {
    const text = await output(
      'exec 2>&1; mount -t tmpfs x /tmp; echo $?; ' +
        'grep -E "CapBnd|NoNewPrivs|Seccomp:" /proc/self/status; touch /etc/x; echo $?',
      {
        HostConfig: {
          ReadonlyRootfs: true,
          CapDrop: ['ALL'],
          CapAdd: ['CHOWN'],
          SecurityOpt: ['no-new-privileges'],
        },
      },
    ).then((found) => found.split('\n').map((line) => line.replace(/\s+/g, ' ')));
    assert.ok(text.includes('CapBnd: 0000000000000001'), text.join('|'));
    assert.ok(text.includes('NoNewPrivs: 1'));
    assert.ok(text.includes('Seccomp: 2'));
    assert.equal(text.at(-1), '1');
    assert.ok(!text.includes('0'));
  });

  it('limits memory, processors and processes', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      {
        Image: 'busybox',
        Cmd: ['sleep', '60'],
        StopTimeout: 0,
        HostConfig: { Memory: 64 * 2 ** 20, NanoCpus: 0.5 * S, PidsLimit: 20 },
      },
      {},
    );
    await engine.startContainer(id);
    const stats = async () => (await engine.stats(id)) as unknown as Sample;
    // The runtime's own threads are there until it becomes the command.
    await eventually(async () => (await stats()).pids_stats.current === 1);
    const sample = await stats();
    assert.equal(sample.memory_stats.limit, 64 * 2 ** 20);
    assert.ok(sample.memory_stats.usage > 0);
    assert.deepEqual(sample.pids_stats, { current: 1, limit: 20 });
    assert.ok(sample.cpu_stats.system_cpu_usage > 0);
    await engine.update(id, { Memory: 128 * 2 ** 20, MemorySwap: -1, NanoCpus: 0, PidsLimit: 30 });
    const after = await stats();
    assert.equal(after.memory_stats.limit, 128 * 2 ** 20);
    assert.equal(after.pids_stats.limit, 30);
    const { HostConfig } = (await engine.inspect(id)) as { HostConfig: { NanoCpus: number } };
    assert.equal(HostConfig.NanoCpus, 0.5 * S);
    const top = await engine.top(id);
    assert.equal(top.Processes.length, 1);
    assert.equal(top.Processes[0]!.at(-1), 'sleep 60');
    await engine.remove(id, { force: true, volumes: true });
  });

  it('tells a kill for memory from others', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      {
        Image: 'busybox',
        // Bounded, should the limit fail to hold.
        Cmd: ['dd', 'if=/dev/zero', 'of=/dev/shm/x', 'bs=1M', 'count=100'],
        // Not much less: runc itself has to fit as it starts.
        HostConfig: { Memory: 32 * 2 ** 20, MemorySwap: 32 * 2 ** 20, ShmSize: 128 * 2 ** 20 },
      },
      {},
    );
    const exit = engine.wait(id, 'next-exit');
    await engine.startContainer(id);
    assert.deepEqual(await exit, { exitCode: 137 });
    assert.equal(engine.get(id).state.oomKilled, true);
    assert.ok(lab.events.some((event) => event.action === 'oom' && event.id === id));
    await engine.remove(id, { force: true, volumes: true });
  });

  it('mounts binds, volumes and tmpfs', async () => {
    const mounts = {
      Binds: [`${hostDir}:/bound:ro`, 'kept:/data', `${hostDir}/made:/made`],
      Tmpfs: { '/fast': 'size=1m' },
    };
    const text = await output(
      'cat /bound/note; touch /bound/x 2>/dev/null; echo $?; cat /data/seed.txt; echo more > /data/more;' +
        ' mount | grep -c " /fast type tmpfs"; ls -d /made',
      { HostConfig: mounts },
    );
    assert.deepEqual(text.split('\n'), ['bound', '1', 'from the image', '1', '/made']);
    assert.equal(await output('cat /data/more', { HostConfig: { Binds: ['kept:/data'] } }), 'more');
    const { engine } = lab;
    assert.deepEqual(
      engine.volumes.list().map(({ name }) => name),
      ['kept'],
    );
    await assert.rejects(
      engine.create(
        {
          Image: 'busybox',
          HostConfig: { Mounts: [{ Type: 'bind', Source: '/no/such', Target: '/x' }] },
        },
        {},
      ),
      /invalid mount config for type "bind": bind source path does not exist: \/no\/such/,
    );
    const { id } = await engine.create({ Image: 'busybox', Volumes: { '/data': {} } }, {});
    await assert.rejects(
      engine.volumes.remove(engine.volumes.list().find(({ name }) => name !== 'kept')!.name, false),
      { code: 'SWM_CONFLICT', message: new RegExp(`volume is in use - \\[${id}\\]`) },
    );
    await engine.remove(id, { force: false, volumes: true });
    await engine.volumes.remove('kept', false);
    assert.deepEqual(engine.volumes.list(), []);
  });

  it('mounts what a volume’s options say, for as long as somebody uses it', async () => {
    const { engine } = lab;
    const { mountpoint } = await engine.volumes.create({
      name: 'elsewhere',
      options: { type: 'none', device: hostDir, o: 'bind' },
    });
    const mounted = async () => (await readFile('/proc/self/mounts', 'utf8')).includes(mountpoint);
    const Binds = ['elsewhere:/bound'];
    assert.equal(await output('cat /bound/note', { HostConfig: { Binds } }), 'bound');
    assert.equal(await mounted(), false);
    const { id } = await engine.create(
      { Image: 'busybox', Cmd: ['sleep', '600'], HostConfig: { Binds } },
      {},
    );
    await engine.startContainer(id);
    assert.equal(await mounted(), true);
    await lab.restartEngine();
    assert.equal(await mounted(), true);
    await lab.engine.remove(id, { force: true, volumes: false });
    await lab.engine.volumes.remove('elsewhere', false);
    assert.equal(await mounted(), false);
    assert.equal(await readFile(join(hostDir, 'note'), 'utf8'), 'bound\n');
    await assert.rejects(
      lab.engine.volumes.create({ name: 'bad', options: { size: '1g' } }),
      /create bad: invalid option: "size"/,
    );
  });

  it('shares volumes and namespaces when told to', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      { Image: 'busybox', HostConfig: { Binds: [`${hostDir}:/bound`, 'lent:/lent'] } },
      { name: 'lender' },
    );
    const text = await output(
      'cat /bound/note; touch /lent/x 2>&1; grep -c . /proc/1/comm; hostname',
      {
        HostConfig: {
          VolumesFrom: ['lender:ro'],
          PidMode: 'host',
          IpcMode: 'host',
          UTSMode: 'host',
        },
      },
    );
    const lines = text.split('\n');
    assert.deepEqual(lines.slice(0, 2), ['bound', 'touch: /lent/x: Read-only file system']);
    assert.equal(lines.at(-1), hostname());
    await engine.remove(id, { force: true, volumes: true });
    await engine.volumes.remove('lent', false);
  });

  it('gives a task its secrets and configs, and forgets the secrets', async () => {
    const file = { uid: 1000, gid: 1001, mode: 0o440 };
    const files = [
      { ...file, path: '/run/secrets/key', data: Buffer.from('hidden'), secret: true },
      { ...file, path: '/etc/app.conf', data: Buffer.from('shown'), secret: false },
    ];
    const text = await output(
      'cat /run/secrets/key; echo; cat /etc/app.conf; echo; stat -c "%u %g %a" /run/secrets/key /etc/app.conf',
      {},
      { task: { taskId: 'task', endpoints: [], files } },
    );
    assert.deepEqual(text.split('\n'), ['hidden', 'shown', '1000 1001 440', '1000 1001 440']);
    await assert.rejects(readFile(join(lab.dir, 'run/secrets', '0')), { code: 'ENOENT' });
  });

  it('watches the health of a container, and lets traffic in when it is good', async () => {
    const { engine, netdriver, events } = lab;
    const network = localNetwork('web', 'a'.repeat(64));
    const service = { id: 's', name: 'web', virtualIp: '', aliases: [], ingressPorts: [] };
    const endpoint = { endpointId: 'c'.repeat(64), network, addresses: [], aliases: [], service };
    const { id } = await engine.create(
      {
        Image: 'busybox',
        Cmd: ['sleep', '60'],
        StopTimeout: 0,
        Healthcheck: {
          Test: ['CMD-SHELL', 'test -e /tmp/well || { echo not yet; exit 1; }'],
          Interval: 0.1 * S,
          Retries: 1_000,
        },
      },
      { task: { taskId: 'task', endpoints: [endpoint], files: [] } },
    );
    await engine.startContainer(id);
    assert.equal(engine.get(id).state.health, 'starting');
    assert.ok(!netdriver.calls.includes(`enable ${id}`));
    await writeFile(`/proc/${engine.get(id).state.pid}/root/tmp/well`, '');
    await eventually(() => engine.get(id).state.health === 'healthy');
    await eventually(() => netdriver.calls.includes(`enable ${id}`));
    assert.ok(events.some((one) => one.id === id && one.action === 'health_status: healthy'));
    const state = (await engine.inspect(id))['State'] as { Health: { Log: { Output: string }[] } };
    assert.ok(state.Health.Log.length > 0);
    await engine.stopContainer(id);
    assert.ok(netdriver.calls.includes(`disable ${id}`));
    await engine.remove(id, { force: true, volumes: true });
  });

  it('calls a container unhealthy after enough failures', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      {
        Image: 'busybox',
        Cmd: ['sleep', '60'],
        Healthcheck: { Test: ['CMD', 'false'], Interval: 0.05 * S, Retries: 2 },
      },
      {},
    );
    await engine.startContainer(id);
    await eventually(() => engine.get(id).state.health === 'unhealthy');
    await engine.remove(id, { force: true, volumes: true });
  });
});
