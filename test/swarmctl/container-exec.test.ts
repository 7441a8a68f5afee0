import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { FakeEngine, frame, type Route } from './fake-engine.ts';
import { FakeTerminal, run } from './run.ts';

let engine: FakeEngine;

before(async () => {
  engine = await FakeEngine.start();
});
after(() => engine.stop());

function execRoutes(start: Route, exitCode: number): Record<string, Route> {
  return {
    'POST /containers/web/exec': { status: 201, json: { Id: 'e1' } },
    'POST /exec/e1/start': start,
    'POST /exec/e1/resize': {},
    'GET /exec/e1/json': { json: { ExitCode: exitCode, Running: false } },
  };
}

describe('exec', () => {
  test('runs a command, splits its output, and exits as it does', async () => {
    const start: Route = {
      upgrade: (socket) => {
        socket.write(frame('stdout', 'out\n'));
        socket.end(frame('stderr', 'err\n'));
      },
    };
    engine.serve(execRoutes(start, 7));
    const args = ['exec', '-e', 'A=b', '-u', 'root', '-w', '/tmp', 'web', 'ls', '-d', '--all'];
    assert.deepEqual(await run(engine, args), { code: 7, stdout: 'out\n', stderr: 'err\n' });
    assert.deepEqual(engine.sent('POST /containers/web/exec'), {
      Cmd: ['ls', '-d', '--all'],
      AttachStdin: false,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
      Detach: false,
      DetachKeys: '',
      Env: ['A=b'],
      Privileged: false,
      User: 'root',
      WorkingDir: '/tmp',
    });
    assert.deepEqual(engine.sent('POST /exec/e1/start'), { Detach: false, Tty: false });
  });

  test('-d only starts it', async () => {
    engine.serve(execRoutes({}, 0));
    assert.deepEqual(await run(engine, ['exec', '-d', 'web', 'ls']), {
      code: 0,
      stdout: '',
      stderr: '',
    });
    assert.deepEqual(engine.asked, ['POST /containers/web/exec', 'POST /exec/e1/start']);
    assert.deepEqual(engine.sent('POST /exec/e1/start'), { Detach: true, Tty: false });
  });

  test('-it: a raw terminal, resized with patience until the process has one', async () => {
    const terminal = new FakeTerminal({ rows: 10, columns: 20 });
    let resizes = 0;
    const start: Route = {
      upgrade: (socket) => socket.on('data', (chunk) => socket.end(`typed ${chunk}`)),
    };
    engine.serve({
      ...execRoutes(start, 0),
      'POST /exec/e1/resize': () => {
        resizes += 1;
        return resizes < 3 ? { status: 409, json: { message: 'not running yet' } } : {};
      },
    });
    const running = run(engine, ['exec', '-it', 'web', 'sh'], { terminal });
    await eventually(() => assert.equal(resizes, 3));
    assert.ok(engine.asked.includes('POST /exec/e1/resize?h=10&w=20'));
    terminal.type('x');
    assert.deepEqual(await running, { code: 0, stdout: 'typed x', stderr: '' });
    assert.deepEqual(terminal.rawModes, [true, false]);
  });

  test('detach keys of one’s own', async () => {
    const terminal = new FakeTerminal();
    const start: Route = {
      upgrade: (socket) =>
        socket.on('data', (chunk: Buffer) => chunk.includes(0x18) && socket.end()),
    };
    engine.serve(execRoutes(start, 3));
    const args = ['exec', '-it', '--detach-keys', 'a,ctrl-x', 'web', 'sh'];
    const running = run(engine, args, { terminal });
    terminal.type('aa');
    terminal.type('\x18');
    assert.deepEqual(await running, { code: 0, stdout: '', stderr: 'read escape sequence\n' });
  });

  test('without a terminal to type at', async () => {
    engine.serve({});
    const result = await run(engine, ['exec', '-it', 'web', 'sh']);
    assert.deepEqual(result, { code: 1, stdout: '', stderr: 'the input device is not a TTY\n' });
  });

  const failures: readonly [string, number][] = [
    ['exec failed: "x": executable file not found in $PATH', 127],
    ['exec failed: "/x": permission denied', 126],
    ['container is paused', 1],
  ];
  for (const [message, code] of failures) {
    test(`that does not start: ${message} is ${code}`, async () => {
      engine.serve(execRoutes({ status: 400, json: { message } }, 0));
      const stderr = `Error response from daemon: ${message}\n`;
      assert.deepEqual(await run(engine, ['exec', 'web', 'x']), { code, stdout: '', stderr });
    });
  }

  test('in a container that does not exist', async () => {
    engine.serve({
      'POST /containers/nope/exec': { status: 404, json: { message: 'No such container: nope' } },
    });
    const stderr = 'Error response from daemon: No such container: nope\n';
    assert.deepEqual(await run(engine, ['exec', 'nope', 'x']), { code: 1, stdout: '', stderr });
  });
});

const state = { Running: true, Paused: false, Restarting: false };
const detail = {
  Id: 'full',
  Name: '/web',
  State: state,
  Config: { Tty: false, OpenStdin: true },
  HostConfig: {},
};

function running(init: { exitCode: number; tty?: boolean; attach: Route }): Record<string, Route> {
  const Config = { ...detail.Config, Tty: init.tty ?? false };
  return {
    'GET /containers/web/json': { json: { ...detail, Config } },
    'POST /containers/full/wait': { json: { StatusCode: init.exitCode } },
    'POST /containers/web/attach': init.attach,
    'POST /containers/full/attach': init.attach,
    'POST /containers/web/resize': {},
    'POST /containers/full/start': { status: 204 },
  };
}

describe('attach', () => {
  const says: Route = { upgrade: (socket) => void socket.end(frame('stdout', 'hello\n')) };

  test('stays until the container ends, and exits as it does', async () => {
    engine.serve(running({ exitCode: 4, attach: says }));
    const result = await run(engine, ['attach', '--no-stdin', 'web']);
    assert.deepEqual(result, { code: 4, stdout: 'hello\n', stderr: '' });
    assert.deepEqual(engine.asked, [
      'GET /containers/web/json',
      'POST /containers/web/attach?stream=1&stdout=1&stderr=1',
      'POST /containers/full/wait?condition=not-running',
    ]);
  });

  test('has a program on a terminal draw itself anew, by two sizes', async () => {
    const terminal = new FakeTerminal({ rows: 24, columns: 80 });
    const echo: Route = { upgrade: (socket) => socket.on('data', () => socket.end()) };
    engine.serve(running({ exitCode: 0, tty: true, attach: echo }));
    const result = run(engine, ['attach', 'web'], { terminal });
    await eventually(() => {
      const resizes = engine.asked.filter((request) => request.includes('resize'));
      const path = 'POST /containers/web/resize';
      assert.deepEqual(resizes, [`${path}?h=25&w=81`, `${path}?h=24&w=80`]);
    });
    terminal.type('q');
    assert.equal((await result).code, 0);
  });

  const states: readonly [object, string][] = [
    [{ Running: false }, 'cannot attach to a stopped container, start it first'],
    [{ Paused: true }, 'cannot attach to a paused container, unpause it first'],
    [{ Restarting: true }, 'cannot attach to a restarting container, wait until it is running'],
  ];
  for (const [change, message] of states) {
    test(message, async () => {
      const json = { ...detail, State: { ...state, ...change } };
      engine.serve({ 'GET /containers/web/json': { json } });
      const result = await run(engine, ['attach', 'web']);
      assert.deepEqual(result, { code: 1, stdout: '', stderr: `${message}\n` });
    });
  }

  test('start -a attaches first', async () => {
    engine.serve({
      ...running({ exitCode: 6, attach: says }),
      'GET /containers/web/json': { json: { ...detail, State: { ...state, Running: false } } },
    });
    const result = await run(engine, ['start', '-a', 'web']);
    assert.deepEqual(result, { code: 6, stdout: 'hello\n', stderr: '' });
    assert.deepEqual(engine.asked, [
      'GET /containers/web/json',
      'POST /containers/full/attach?stream=1&stdout=1&stderr=1',
      'POST /containers/full/wait?condition=next-exit',
      'POST /containers/full/start',
    ]);
  });
});
