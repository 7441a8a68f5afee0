import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Lab, logText, skipReason } from './harness.ts';

const ALL_LOGS = { stdout: true, stderr: true, follow: false };

describe('running containers', { skip: skipReason }, () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.open();
  });
  after(() => lab?.close());

  it('runs a command to its end and keeps what it printed', async () => {
    const { engine } = lab;
    const { id } = await engine.create(
      { Image: 'busybox', Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 3'] },
      { name: 'one' },
    );
    const exit = engine.wait(id, 'next-exit');
    assert.equal(await engine.startContainer('one'), true);
    assert.deepEqual(await exit, { exitCode: 3 });
    const text = await logText(engine.logs(id, ALL_LOGS));
    assert.deepEqual(text.split('\n').sort(), ['', 'err', 'out']);
    assert.equal(engine.get('one').state.status, 'exited');
    await engine.remove('one', { force: false, volumes: false });
    assert.throws(() => engine.get(id), /No such container/);
  });

  it('starts ten containers at once', async () => {
    const { engine } = lab;
    const ids = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const { id } = await engine.create({ Image: 'busybox', Cmd: ['sleep', '60'] }, {});
        await engine.startContainer(id);
        return id;
      }),
    );
    for (const id of ids) assert.equal(engine.get(id).state.status, 'running');
    await Promise.all(ids.map((id) => engine.remove(id, { force: true, volumes: true })));
    assert.deepEqual(engine.list(), []);
  });
});
