import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { demultiplexed, eventually, Lab, logText, skipReason } from './harness.ts';

const ALL_LOGS = { stdout: true, stderr: true, follow: false };
const ATTACH = { stdin: true, stdout: true, stderr: true, logs: false, stream: true };

describe('attach, exec and logs', { skip: skipReason }, () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.open();
  });
  after(() => lab?.close());

  const sleeper = async (extra = {}) => {
    const { id } = await lab.engine.create(
      { Image: 'busybox', Cmd: ['sleep', '600'], StopTimeout: 0, ...extra },
      {},
    );
    await lab.engine.startContainer(id);
    return id;
  };

  it('gives an attached client output and takes its input, as docker run -i does', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      { Image: 'busybox', Cmd: ['cat'], OpenStdin: true, StdinOnce: true },
      {},
    );
    const stream = await engine.attach(id, ATTACH);
    const output = demultiplexed(stream);
    const exit = engine.wait(id, 'next-exit');
    stream.end('typed before the start\n');
    await engine.startContainer(id);
    assert.deepEqual(await exit, { exitCode: 0 });
    assert.deepEqual(await output, { stdout: 'typed before the start\n', stderr: '' });
    assert.equal(await logText(engine.logs(id, ALL_LOGS)), 'typed before the start\n');
  });

  it('serves several clients, and lets one of them detach by its keys', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      { Image: 'busybox', Cmd: ['sh'], OpenStdin: true, Tty: true },
      {},
    );
    const first = await engine.attach(id, ATTACH);
    const second = await engine.attach(id, { ...ATTACH, stdin: false });
    let seen = '';
    second.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    first.resume();
    await engine.startContainer(id);
    first.write('echo he""llo\n');
    await eventually(() => seen.includes('hello'));
    const ended = new Promise((resolve) => first.once('end', resolve));
    first.write(Buffer.of(16, 17));
    await ended;
    assert.ok(lab.events.some(({ action }) => action === 'detach'));
    assert.equal(engine.get(id).state.status, 'running');
    await engine.remove(id, { force: true, volumes: true });
  });

  it('resizes a terminal', async () => {
    const { engine } = lab;
    const id = await sleeper({ Tty: true });
    await engine.resize(id, 40, 100);
    const execId = await engine.execCreate(id, {
      Cmd: ['stty', 'size', '-F', '/dev/console'],
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await engine.execStart(execId, { detach: false });
    assert.deepEqual(await demultiplexed(stream!), { stdout: '40 100\n', stderr: '' });
    await engine.remove(id, { force: true, volumes: true });
  });

  it('runs further commands with their own input, output, user and exit code', async () => {
    const { engine } = lab;
    const id = await sleeper();
    const execId = await engine.execCreate(id, {
      Cmd: ['sh', '-c', 'cat; id -u; echo $MORE >&2; exit 5'],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      User: 'app',
      Env: ['MORE=less'],
    });
    const stream = (await engine.execStart(execId, { detach: false }))!;
    stream.end('in\n');
    assert.deepEqual(await demultiplexed(stream), { stdout: 'in\n1000\n', stderr: 'less\n' });
    assert.equal(engine.execInspect(execId).ExitCode, 5);
    assert.equal(engine.execInspect(execId).Running, false);
    const actions = lab.events.filter(({ id: one }) => one === id).map(({ action }) => action);
    assert.ok(actions.includes('exec_create: sh -c cat; id -u; echo $MORE >&2; exit 5'));
    assert.ok(actions.includes('exec_die'));
    await engine.remove(id, { force: true, volumes: true });
  });

  it('tells a command that does not exist on its stream, and by its exit code', async () => {
    const { engine } = lab;
    const id = await sleeper();
    const execId = await engine.execCreate(id, { Cmd: ['nosuch'], AttachStdout: true });
    const stream = await engine.execStart(execId, { detach: false });
    assert(stream);
    const told = Buffer.concat(await stream.toArray()).toString();
    assert.match(told, /OCI runtime exec failed: exec.*"nosuch": executable file not found.*\r\n$/);
    assert.equal(engine.execInspect(execId).ExitCode, 127);
    const detached = await engine.execCreate(id, { Cmd: ['nosuch'] });
    await assert.rejects(engine.execStart(detached, { detach: true }), /"nosuch": executable/);
    await engine.remove(id, { force: true, volumes: true });
  });

  it('follows a log until the container ends', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      { Image: 'busybox', Cmd: ['sh', '-c', 'for i in 1 2 3; do echo line $i; sleep 0.1; done'] },
      {},
    );
    await engine.startContainer(id);
    const text = await logText(engine.logs(id, { ...ALL_LOGS, follow: true }));
    assert.equal(text, 'line 1\nline 2\nline 3\n');
    assert.equal(await logText(engine.logs(id, { ...ALL_LOGS, tail: 2 })), 'line 2\nline 3\n');
  });

  it('rotates logs and loses no line that is kept', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      {
        Image: 'busybox',
        Cmd: ['seq', '1', '20000'],
        HostConfig: { LogConfig: { Config: { 'max-size': '300k', 'max-file': '3' } } },
      },
      {},
    );
    const exit = engine.wait(id, 'next-exit');
    await engine.startContainer(id);
    await exit;
    const lines = (await logText(engine.logs(id, ALL_LOGS))).trim().split('\n').map(Number);
    assert.equal(lines.at(-1), 20000);
    assert.ok(lines.length > 10000 && lines.length <= 20000, String(lines.length));
    lines.forEach((line, index) => {
      assert.equal(line, 20000 - lines.length + 1 + index);
    });
    const tail = (await logText(engine.logs(id, { ...ALL_LOGS, tail: 9000 }))).trim().split('\n');
    assert.equal(tail.length, 9000);
  });
});
