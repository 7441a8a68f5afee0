import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { localNetwork } from './fake-netdriver.ts';
import { eventually, Lab, logText, skipReason } from './harness.ts';

const ALL_LOGS = { stdout: true, stderr: true, follow: false };

describe('a daemon that restarts', { skip: skipReason }, () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.open();
  });
  after(() => lab?.close());

  it('adopts what runs, with its input, its output and its end', async () => {
    const counting = await lab.engine.create(
      {
        Image: 'busybox',
        Cmd: ['sh', '-c', 'i=0; while true; do echo $i; i=$((i+1)); sleep 0.02; done'],
      },
      { name: 'counting' },
    );
    const talking = await lab.engine.create(
      { Image: 'busybox', Cmd: ['sh', '-c', 'read line; echo got $line; exit 9'], OpenStdin: true },
      { name: 'talking' },
    );
    await lab.engine.startContainer('counting');
    await lab.engine.startContainer('talking');
    const { pid } = lab.engine.get('counting').state;

    await lab.restartEngine();

    const { engine } = lab;
    assert.equal(engine.get('counting').state.status, 'running');
    assert.equal(engine.get('counting').state.pid, pid);
    assert.deepEqual(
      lab.netdriver.adopted.map(({ config }) => config.containerId).sort(),
      [counting.id, talking.id].sort(),
    );
    const exit = engine.wait('talking', 'not-running');
    const stream = await engine.attach('talking', {
      stdin: true,
      stdout: true,
      stderr: true,
      logs: false,
      stream: true,
    });
    stream.resume();
    stream.write('hello\n');
    assert.deepEqual(await exit, { exitCode: 9 });
    assert.equal(await logText(engine.logs('talking', ALL_LOGS)), 'got hello\n');

    const soFar = (await logText(engine.logs('counting', ALL_LOGS))).trim().split('\n').length;
    await eventually(async () => {
      const text = await logText(engine.logs('counting', ALL_LOGS));
      return text.trim().split('\n').length > soFar + 5;
    });
    await engine.kill('counting');
    await engine.wait('counting', 'not-running');
    const numbers = (await logText(engine.logs('counting', ALL_LOGS)))
      .trim()
      .split('\n')
      .map(Number);
    numbers.forEach((number, index) => {
      assert.equal(number, index);
    });
    await engine.remove('counting', { force: false, volumes: true });
    await engine.remove('talking', { force: false, volumes: true });
  });

  it('records how containers ended meanwhile, and starts those that are to run always', async () => {
    const untilTold = 'until rm /tmp/end 2>/dev/null; do sleep 0.02; done; exit 7';
    const { id } = await lab.engine.create(
      { Image: 'busybox', Cmd: ['sh', '-c', untilTold] },
      { name: 'brief' },
    );
    await lab.engine.create(
      {
        Image: 'busybox',
        Cmd: ['sh', '-c', untilTold],
        HostConfig: { RestartPolicy: { Name: 'always' } },
      },
      { name: 'always' },
    );
    await lab.engine.startContainer(id);
    await lab.engine.startContainer('always');
    const pids = [lab.engine.get(id).state.pid, lab.engine.get('always').state.pid];
    await lab.engine.stop();
    for (const pid of pids) await writeFile(`/proc/${pid}/root/tmp/end`, '');
    await eventually(() => pids.every((pid) => !isAlive(pid)));
    lab.engine = lab.newEngine();
    await lab.engine.start();
    const { state } = lab.engine.get('brief');
    assert.equal(state.status, 'exited');
    assert.equal(state.exitCode, 7);
    assert.ok(state.finishedAt >= state.startedAt && state.finishedAt <= Date.now());
    await eventually(() => lab.engine.get('always').state.status === 'running');
    await lab.engine.remove('brief', { force: false, volumes: true });
    await lab.engine.remove('always', { force: true, volumes: true });
  });

  it('keeps a service’s traffic flowing to what it adopts', async () => {
    const { netdriver } = lab;
    const network = localNetwork('web', 'a'.repeat(64));
    const service = { id: 's', name: 'web', virtualIp: '', aliases: [], ingressPorts: [] };
    const endpoint = { endpointId: 'c'.repeat(64), network, addresses: [], aliases: [], service };
    const { id } = await lab.engine.create(
      { Image: 'busybox', Cmd: ['sleep', '600'] },
      { task: { taskId: 'task', endpoints: [endpoint], files: [] } },
    );
    await lab.engine.startContainer(id);
    await lab.restartEngine();
    assert.equal(netdriver.adopted[0]?.serviceEnabled, true);
    await lab.engine.remove(id, { force: true, volumes: true });
  });

  it('gets its containerd back when that dies, and loses no container', async () => {
    const { id } = await lab.engine.create({ Image: 'busybox', Cmd: ['sleep', '600'] }, {});
    await lab.engine.startContainer(id);
    // A daemon has servers that keep it alive; this process would have nothing to wait for.
    const alive = setInterval(() => {}, 1000);
    const pidFile = join(lab.dir, 'run/containerd.pid');
    const before = await readFile(pidFile, 'utf8');
    process.kill(Number(before), 'SIGKILL');
    await eventually(async () => (await readFile(pidFile, 'utf8')) !== before);
    const state = lab.engine.get(id).state;
    assert.equal(state.status, 'running');
    const exit = lab.engine.wait(id, 'next-exit');
    await eventually(() =>
      lab.engine.kill(id).then(
        () => true,
        () => false,
      ),
    );
    assert.deepEqual(await exit, { exitCode: 137 });
    clearInterval(alive);
    await lab.engine.remove(id, { force: true, volumes: true });
  });

  it('removes what was only half made', async () => {
    const { engine } = lab;
    const { runtime } = engine;
    const image = await runtime.images.resolve('busybox');
    const parent = image.config.rootfs.diff_ids[0]!;
    const stray = 'f'.repeat(64);
    const labels = { 'swarm/engine': `${lab.dir}/state` };
    await runtime.snapshots.prepare(stray, parent, { now: Date.now(), labels });
    await runtime.tasks.define(stray, { process: {} } as never, {
      'swarm/engine': `${lab.dir}/state`,
    });
    await lab.restartEngine();
    assert.deepEqual(await lab.engine.runtime.snapshots.keys(labels), []);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
