import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { FakeEngine, frame, type Reply, type Route } from './fake-engine.ts';
import { FakeTerminal, run } from './run.ts';

const ID = 'c'.repeat(64);
let engine: FakeEngine;

before(async () => {
  engine = await FakeEngine.start();
});
after(() => engine.stop());

/** A container that says something, and ends with an exit code when it was started. */
function container(init: {
  output?: Buffer[];
  exitCode?: number;
  create?: Route;
  start?: Route;
  attached?: (socket: Duplex) => void;
}): Record<string, Route> {
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let client: Duplex | undefined;
  return {
    'POST /containers/create': init.create ?? { status: 201, json: { Id: ID, Warnings: [] } },
    [`POST /containers/${ID}/attach`]: {
      upgrade: (socket) => {
        client = socket;
        init.attached?.(socket);
        if (init.attached) socket.once('close', finish);
      },
    },
    [`POST /containers/${ID}/wait`]: {
      headers: { 'content-type': 'application/json' },
      body: (async function* () {
        await finished;
        yield JSON.stringify({ StatusCode: init.exitCode ?? 0 });
      })(),
    },
    [`POST /containers/${ID}/start`]:
      init.start ??
      (() => {
        if (!init.attached) {
          for (const piece of init.output ?? []) client?.write(piece);
          client?.end();
          finish();
        }
        return { status: 204 };
      }),
    [`POST /containers/${ID}/resize`]: {},
    [`POST /containers/${ID}/kill`]: { status: 204 },
  };
}

describe('run in the foreground', () => {
  test('attaches, waits, starts; output is split, the exit code is the container’s', async () => {
    engine.serve(
      container({ output: [frame('stdout', 'out\n'), frame('stderr', 'err\n')], exitCode: 3 }),
    );
    const result = await run(engine, ['run', '--rm', 'alpine', 'sh', '-c', 'exit 3']);
    assert.deepEqual(result, { code: 3, stdout: 'out\n', stderr: 'err\n' });
    assert.deepEqual(engine.asked, [
      'POST /containers/create',
      `POST /containers/${ID}/attach?stream=1&stdout=1&stderr=1`,
      `POST /containers/${ID}/wait?condition=removed`,
      `POST /containers/${ID}/start`,
    ]);
  });

  test('what is piped in reaches the container, and its end as a half close', async () => {
    const typed: Buffer[] = [];
    engine.serve(
      container({
        attached: (socket) => {
          socket.on('data', (chunk) => typed.push(chunk));
          socket.once('end', () => socket.end(frame('stdout', `got ${Buffer.concat(typed)}`)));
        },
      }),
    );
    const result = await run(engine, ['run', '-i', 'alpine', 'cat'], { stdin: 'hello' });
    assert.deepEqual(result, { code: 0, stdout: 'got hello', stderr: '' });
    const body = engine.sent('POST /containers/create') as Record<string, unknown>;
    assert.deepEqual([body['OpenStdin'], body['StdinOnce'], body['Tty']], [true, true, false]);
  });

  test('a terminal is raw meanwhile, and its size follows', async () => {
    const terminal = new FakeTerminal({ rows: 30, columns: 100 });
    let client: Duplex | undefined;
    engine.serve(
      container({
        exitCode: 5,
        attached: (socket) => {
          client = socket;
          socket.on('data', (chunk) => socket.write(`echo:${chunk}`));
        },
      }),
    );
    const running = run(engine, ['run', '-it', 'alpine'], { terminal });
    const resized = (size: string) =>
      eventually(() =>
        assert.ok(engine.asked.includes(`POST /containers/${ID}/resize?${size}`), size),
      );
    await resized('h=30&w=100');
    terminal.resize({ rows: 40, columns: 120 });
    await resized('h=40&w=120');
    terminal.type('ls\r');
    await eventually(() => assert.equal(terminal.output.text, 'echo:ls\r'));
    client?.end();
    assert.deepEqual(await running, { code: 5, stdout: 'echo:ls\r', stderr: '' });
    assert.deepEqual(terminal.rawModes, [true, false]);
    assert.equal(terminal.output.listenerCount('resize'), 0);
  });

  test('the detach keys leave the container, whatever its exit code', async () => {
    const terminal = new FakeTerminal();
    engine.serve(
      container({
        attached: (socket) => {
          socket.on('data', (chunk: Buffer) => chunk.includes(0x11) && socket.end());
        },
        exitCode: 9,
      }),
    );
    const running = run(engine, ['run', '-it', 'alpine'], { terminal });
    terminal.type('\x10\x11');
    assert.deepEqual(await running, { code: 0, stdout: '', stderr: 'read escape sequence\n' });
  });

  test('signals go to the container', async () => {
    const terminal = new FakeTerminal();
    let client: Duplex | undefined;
    engine.serve({
      ...container({
        exitCode: 143,
        attached: (socket) => {
          client = socket;
        },
      }),
      [`POST /containers/${ID}/kill`]: () => {
        client?.end();
        return { status: 204 };
      },
    });
    const running = run(engine, ['run', 'alpine'], { terminal });
    await eventually(() => assert.ok(terminal.signals.listenerCount('SIGTERM') > 0));
    terminal.signals.emit('SIGTERM');
    assert.equal((await running).code, 143);
    assert.ok(engine.asked.includes(`POST /containers/${ID}/kill?signal=SIGTERM`));
    assert.equal(terminal.signals.listenerCount('SIGTERM'), 0);
  });

  test('--sig-proxy=false leaves them to this program', async () => {
    const terminal = new FakeTerminal();
    let client: Duplex | undefined;
    engine.serve(
      container({
        attached: (socket) => {
          client = socket;
        },
      }),
    );
    const running = run(engine, ['run', '--sig-proxy=false', 'alpine'], { terminal });
    await eventually(() => assert.ok(engine.asked.includes(`POST /containers/${ID}/start`)));
    assert.equal(terminal.signals.listenerCount('SIGTERM'), 0);
    client?.end();
    await running;
  });

  test('a terminal is asked for, and there is none', async () => {
    engine.serve({});
    const result = await run(engine, ['run', '-it', 'alpine']);
    assert.deepEqual(result, { code: 1, stdout: '', stderr: 'the input device is not a TTY\n' });
    assert.deepEqual(engine.asked, []);
  });
});

describe('run that fails', () => {
  const failures: readonly [string, number, Reply][] = [
    ['exec: "x": executable file not found in $PATH', 127, { status: 400 }],
    ['stat /x: no such file or directory', 127, { status: 400 }],
    ['exec: "/etc": permission denied', 126, { status: 400 }],
    ['exec: "/etc": is a directory', 126, { status: 400 }],
    ['driver failed: port is already allocated', 125, { status: 500 }],
  ];
  for (const [message, code, reply] of failures) {
    test(`at its start: ${message} is ${code}`, async () => {
      engine.serve(container({ start: { ...reply, json: { message } } }));
      const stderr = `swarmctl: Error response from daemon: ${message}\n`;
      assert.deepEqual(await run(engine, ['run', 'alpine']), { code, stdout: '', stderr });
      assert.deepEqual(await run(engine, ['run', '-d', 'alpine']), { code, stdout: '', stderr });
      // The name is free again.
      assert.equal(engine.asked.at(-1), `DELETE /containers/${ID}?force=1`);
    });
  }

  test('at its creation is 125, and nothing is pulled for another 404', async () => {
    engine.serve(container({ create: { status: 404, json: { message: 'network x not found' } } }));
    const result = await run(engine, ['run', '-d', '--network', 'x', 'alpine']);
    assert.deepEqual(result, {
      code: 125,
      stdout: '',
      stderr: 'swarmctl: Error response from daemon: network x not found\n',
    });
    assert.deepEqual(engine.asked, ['POST /containers/create']);
  });
});

test('a daemon that dies under a container: the exit code is nobody’s', async () => {
  const routes = container({ attached: (socket) => setImmediate(() => socket.destroy()) });
  engine.serve({
    ...routes,
    [`POST /containers/${ID}/wait`]: {
      body: (async function* () {
        yield ' ';
        throw new Error('killed');
      })(),
    },
  });
  assert.deepEqual(await run(engine, ['run', 'alpine']), {
    code: 125,
    stdout: '',
    stderr:
      'error waiting for container: the connection to swarmd was lost before its answer ended\n',
  });
});

describe('run and the image', () => {
  const missing = { status: 404, json: { message: 'No such image: alpine:latest' } };
  const progress = [
    { status: 'Pulling from library/alpine', id: 'latest' },
    { status: 'Downloading', id: 'aa', progressDetail: { current: 1, total: 2 } },
    { status: 'Pull complete', id: 'aa', progressDetail: {} },
    { status: 'Status: Downloaded newer image for alpine:latest' },
  ];
  const pulled: Reply = { body: progress.map((line) => JSON.stringify(line)).join('\r\n') };

  function missingOnce(): Route {
    let asked = 0;
    return () => {
      asked += 1;
      return asked === 1 ? missing : { status: 201, json: { Id: ID } };
    };
  }

  test('one that is missing is pulled, with its progress on standard error', async () => {
    engine.serve({ ...container({ create: missingOnce() }), 'POST /images/create': pulled });
    assert.deepEqual(await run(engine, ['run', '-d', 'alpine']), {
      code: 0,
      stdout: `${ID}\n`,
      stderr:
        "Unable to find image 'alpine:latest' locally\n" +
        'latest: Pulling from library/alpine\n' +
        'aa: Pull complete\n' +
        'Status: Downloaded newer image for alpine:latest\n',
    });
    assert.deepEqual(engine.asked, [
      'POST /containers/create',
      'POST /images/create?fromImage=docker.io/library/alpine&tag=latest',
      'POST /containers/create',
      `POST /containers/${ID}/start`,
    ]);
    assert.equal(engine.requests[1]?.headers['x-registry-auth'], 'e30');
  });

  test('--pull always asks the registry first, --pull never not at all', async () => {
    engine.serve({ ...container({}), 'POST /images/create': pulled });
    await run(engine, ['run', '-d', '--quiet', '--pull', 'always', 'alpine']);
    assert.equal(
      engine.asked[0],
      'POST /images/create?fromImage=docker.io/library/alpine&tag=latest',
    );
    engine.serve({ ...container({ create: missing }), 'POST /images/create': pulled });
    const result = await run(engine, ['run', '-d', '--pull=never', 'alpine']);
    assert.equal(result.code, 125);
    assert.deepEqual(engine.asked, ['POST /containers/create']);
  });

  test('a pull that fails half-way', async () => {
    const message = 'manifest unknown';
    engine.serve({
      ...container({ create: missing }),
      'POST /images/create': {
        body: `${JSON.stringify(progress[0])}\n${JSON.stringify({ errorDetail: { message } })}`,
      },
    });
    const result = await run(engine, ['run', '-d', '--quiet', 'alpine']);
    assert.equal(result.code, 125);
    assert.match(result.stderr, /swarmctl: Error response from daemon: manifest unknown\n$/);
  });
});

test('create prints the id, --cidfile keeps it, and does not overwrite one', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cid-'));
  try {
    const path = join(dir, 'cid');
    engine.serve(container({}));
    const result = await run(engine, ['create', '--cidfile', path, '--name', 'web', 'alpine']);
    assert.equal(result.stdout, `${ID}\n`);
    assert.equal(await readFile(path, 'utf8'), ID);
    assert.deepEqual(engine.asked, ['POST /containers/create?name=web']);
    await writeFile(path, 'old');
    const again = await run(engine, ['create', '--cidfile', path, 'alpine']);
    assert.equal(again.code, 125);
    assert.match(again.stderr, /container ID file found/);
    assert.equal(engine.asked.length, 1);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('options end at the image: -dit is ours, the rest the container’s', async () => {
  engine.serve(container({}));
  const args = ['container', 'run', '-dit', '--rm=true', 'alpine', 'sh', '-c', '--rm=false', '-d'];
  const result = await run(engine, args);
  assert.equal(result.code, 0, result.stderr);
  const body = engine.sent('POST /containers/create') as Record<string, unknown>;
  assert.deepEqual(body['Cmd'], ['sh', '-c', '--rm=false', '-d']);
  assert.equal(body['Tty'], true);
  assert.equal((body['HostConfig'] as Record<string, unknown>)['AutoRemove'], true);
});
