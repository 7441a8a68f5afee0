import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SwarmError } from '../../../common/errors.ts';
import { LogMessage, LogStream } from '../../../proto/gen/swarm/logs.ts';
import { eventually } from '../../support/eventually.ts';
import { NODE_ID } from './bench.ts';
import { answered, demultiplex, type Served, serve, textOf } from './served.ts';

async function create({ node }: Served, command: string[], body: object = {}): Promise<string> {
  const { id } = await node.engine.create({ Image: 'alpine', Cmd: command, ...body }, {});
  return id;
}

const upgrade = (path: string, body = '', type = 'text/plain') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n` +
  `Content-Type: ${type}\r\n${body ? `Content-Length: ${body.length}\r\n` : ''}\r\n${body}`;

const afterHead = (bytes: Buffer) => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);

test('attach: upgraded, multiplexed, half-closed, and closed with the process', async (t) => {
  const bench = await serve(t);
  const id = await create(bench, ['cat']);
  const query = 'stream=1&stdin=1&stdout=1&stderr=1';
  const client = await bench.raw(upgrade(`/v1.50/containers/${id}/attach?${query}`));
  const head = (await client.until('\r\n\r\n')).toString();
  assert.equal(
    head,
    'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n' +
      'Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
  );
  await bench.node.engine.startContainer(id);
  client.socket.write('hello');
  await client.until('hello');
  client.socket.end(' you');
  await client.ended;
  assert.equal(demultiplex(afterHead(client.received()))[1], 'hello you');
  assert.equal(bench.node.engine.get(id).state.exitCode, 0);
  await eventually(() => assert.equal(bench.node.engine.openStreams, 0));
});

test('attach: a terminal is not multiplexed', async (t) => {
  const bench = await serve(t);
  const id = await create(bench, ['echo', 'hi'], { Tty: true });
  const client = await bench.raw(upgrade(`/containers/${id}/attach?stream=1&stdout=1`));
  const head = (await client.until('\r\n\r\n')).toString();
  assert.match(head, /Content-Type: application\/vnd\.docker\.raw-stream\r\n/);
  await bench.node.engine.startContainer(id);
  await client.ended;
  assert.equal(afterHead(client.received()).toString(), 'hi\nwarned\n');
});

test('attach: a client that vanishes ends the attachment and leaves the container', async (t) => {
  const bench = await serve(t);
  const id = await create(bench, ['sleep']);
  const client = await bench.raw(upgrade(`/containers/${id}/attach?stream=1&stdout=1`));
  await bench.node.engine.startContainer(id);
  await client.until('\r\n\r\n');
  assert.equal(bench.node.engine.openStreams, 1);
  client.socket.destroy();
  // A closed socket looks like a half-closed one until something is written to it.
  await eventually(() => {
    bench.node.engine.print(id, 'anybody there?');
    assert.equal(bench.node.engine.openStreams, 0);
  });
  assert.equal(bench.node.engine.get(id).state.status, 'running');
});

test('attach: without an upgrade the answer is a plain stream', async (t) => {
  const bench = await serve(t);
  const id = await create(bench, ['echo', 'hi']);
  const response = await answered(
    bench.request('POST', `/containers/${id}/attach?stream=1&stdout=1`),
  );
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers['content-type'], 'application/vnd.docker.multiplexed-stream');
  assert.equal(response.headers['api-version'], '1.50');
  await bench.node.engine.startContainer(id);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  assert.deepEqual(demultiplex(Buffer.concat(chunks)), { 1: 'hi\n', 2: 'warned\n' });
});

test('an upgrade that is refused is an ordinary error', async (t) => {
  const bench = await serve(t);
  const client = await bench.raw(upgrade('/v1.50/containers/nope/attach?stream=1'));
  await client.ended;
  const text = client.received().toString();
  assert.match(text, /^HTTP\/1\.1 404 Not Found\r\n/);
  assert.match(text, /content-type: application\/json\r\n/i);
  assert.ok(text.endsWith('{"message":"No such container: nope"}'));
});

test('an upgrade that nobody asked for does not matter', async (t) => {
  const bench = await serve(t);
  const client = await bench.raw(
    'GET /version HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  );
  await client.ended;
  assert.match(client.received().toString(), /^HTTP\/1\.1 200 OK[\s\S]*"ApiVersion":"1\.50"/);
});

for (const [how, split] of [
  ['together', false],
  ['in pieces', true],
] as const) {
  test(`exec: the request's head and body may come ${how}, and input right after`, async (t) => {
    const bench = await serve(t);
    const { engine } = bench.node;
    const id = await engine.execCreate(await create(bench, ['sleep']), { Cmd: ['cat'] });
    const body = '{"Detach":false,"Tty":false}';
    const text = upgrade(`/v1.50/exec/${id}/start`, body, 'application/json');
    const client = await bench.raw(split ? text.slice(0, -9) : `${text}early `);
    if (split) client.socket.write(text.slice(-9));
    await client.until('101 UPGRADED');
    client.socket.end('input');
    await client.ended;
    const expected = split ? 'input' : 'early input';
    assert.equal(demultiplex(afterHead(client.received()))[1], expected);
    assert.equal(engine.execInspect(id).ExitCode, 0);
  });
}

test('wait: the head comes at once and the body with the end', async (t) => {
  const bench = await serve(t);
  const id = await create(bench, ['exit', '3']);
  const url = `/v1.50/containers/${id}/wait?condition=next-exit`;
  const response = await answered(bench.request('POST', url));
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers['content-type'], 'application/json');
  await bench.node.engine.startContainer(id);
  assert.deepEqual(JSON.parse(await textOf(response)), { StatusCode: 3 });
  const after = await answered(bench.request('POST', `/containers/${id}/wait`));
  assert.deepEqual(JSON.parse(await textOf(after)), { StatusCode: 3 });
  const odd = await answered(bench.request('POST', `/containers/${id}/wait?condition=odd`));
  assert.equal(odd.statusCode, 400);
  const none = await answered(bench.request('POST', '/containers/nope/wait'));
  assert.equal(none.statusCode, 404);
});

test('container logs: framed, with times, and as many as wanted', async (t) => {
  const bench = await serve(t);
  const id = await create(bench, ['sleep']);
  bench.node.engine.log(id, 'stdout', 'one\n');
  bench.node.engine.log(id, 'stderr', 'two\n');
  const logs = async (query: string) => {
    const response = await answered(bench.request('GET', `/containers/${id}/logs?${query}`));
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return demultiplex(Buffer.concat(chunks));
  };
  assert.deepEqual(await logs('stdout=1&stderr=1&tail=all'), { 1: 'one\n', 2: 'two\n' });
  assert.deepEqual(await logs('stdout=1&stderr=1&tail=1'), { 2: 'two\n' });
  assert.deepEqual(await logs('stdout=1&timestamps=1'), {
    1: '2026-01-02T03:04:05.000000006Z one\n',
  });
  const none = await answered(bench.request('GET', `/containers/${id}/logs`));
  assert.equal(none.statusCode, 400);
  assert.match(await textOf(none), /you must choose at least one stream/);
});

test('container logs: a follower that leaves is noticed', async (t) => {
  const bench = await serve(t);
  const id = await create(bench, ['sleep']);
  bench.node.engine.log(id, 'stdout', 'one\n');
  const request = bench.request('GET', `/containers/${id}/logs?stdout=1&follow=1`);
  const response = await answered(request);
  await new Promise((resolve) => response.once('data', resolve));
  response.on('error', () => {});
  request.destroy();
  await eventually(() => assert.ok(bench.node.engine.calls.includes('log follower left')));
});

test('service logs: one frame a line, with the details of its task', async (t) => {
  const bench = await serve(t);
  const spec = { Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'x' } } };
  const { json } = await bench.call('POST', '/services/create', spec);
  const message = (stream: LogStream, text: string) =>
    LogMessage.fromPartial({
      context: { serviceId: json.ID, nodeId: NODE_ID, taskId: 'task1' },
      timestamp: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
      timestampNs: 9,
      stream,
      data: Buffer.from(text),
      attrs: { env: 'a b' },
    });
  bench.manager.messages = [message(LogStream.STDOUT, 'out\n'), message(LogStream.STDERR, 'err\n')];
  const query = 'stdout=1&stderr=1&details=1&timestamps=1&tail=5&since=1700000000.5';
  const response = await answered(bench.request('GET', `/v1.50/services/web/logs?${query}`));
  assert.equal(response.headers['content-type'], 'application/vnd.docker.multiplexed-stream');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const details =
    `com.docker.swarm.node.id=${NODE_ID},com.docker.swarm.service.id=${json.ID},` +
    'com.docker.swarm.task.id=task1,env=a+b';
  assert.deepEqual(demultiplex(Buffer.concat(chunks)), {
    1: `2026-01-02T03:04:05.678000009Z ${details} out\n`,
    2: `2026-01-02T03:04:05.678000009Z ${details} err\n`,
  });
  const [request] = bench.manager.logRequests;
  assert.deepEqual(request?.selector?.serviceIds, [json.ID]);
  assert.equal(request?.options?.tail, -6);
  assert.equal(request?.options?.since?.getTime(), 1_700_000_000_500);
});

test('service logs: what goes wrong on the way comes as the last frame', async (t) => {
  const bench = await serve(t);
  const spec = { Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'x' } } };
  await bench.call('POST', '/services/create', spec);
  bench.manager.subscribeLogs = async function* () {
    yield LogMessage.fromPartial({ stream: LogStream.STDOUT, data: Buffer.from('one\n') });
    throw new SwarmError('SWM_UNAVAILABLE', 'node host2 is down');
  };
  const response = await answered(bench.request('GET', '/services/web/logs?stdout=1'));
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  assert.deepEqual(demultiplex(Buffer.concat(chunks)), { 1: 'one\n', 3: 'node host2 is down' });
});

test('events: what happens now, what happened since, and an end', async (t) => {
  const bench = await serve(t);
  const live = await answered(bench.request('GET', '/v1.50/events'));
  const lines: string[] = [];
  live.on('data', (chunk: Buffer) => lines.push(...chunk.toString().trim().split('\n')));
  const id = await create(bench, ['sleep']);
  await bench.call('POST', '/secrets/create', { Name: 's1', Data: 'eA==' });
  await eventually(() => assert.equal(lines.length, 2));
  const [container, secret] = lines.map((line) => JSON.parse(line));
  assert.equal(container.status, 'create');
  assert.equal(container.from, 'alpine');
  assert.equal(container.Actor.ID, id);
  assert.equal(container.scope, 'local');
  assert.deepEqual([secret.Type, secret.Action, secret.scope], ['secret', 'create', 'swarm']);
  assert.deepEqual(secret.Actor.Attributes, { name: 's1' });
  const filters = encodeURIComponent('{"type":{"container":true}}');
  const until = Date.now() / 1_000;
  const past = await answered(
    bench.request('GET', `/events?since=1&until=${until}&filters=${filters}`),
  );
  assert.equal(JSON.parse(await textOf(past)).Type, 'container');
});

test('a body goes out at the pace of its reader', async (t) => {
  const bench = await serve(t);
  let made = 0;
  bench.node.engine.images.save = async function* () {
    for (; made < 200; made++) yield Buffer.alloc(1 << 20);
  };
  const request = bench.request('GET', '/images/alpine/get');
  const response = await answered(request);
  await eventually(() => assert.ok(response.readableLength > 0));
  assert.ok(made < 100, `${made} MiB were made for a reader that reads nothing`);
  let size = 0;
  for await (const chunk of response) size += (chunk as Buffer).length;
  assert.equal(size, 200 << 20);
});
