import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  LogStream,
  type PublishLogsMessage,
  SubscribeLogsRequest,
} from '../../../proto/gen/swarm/logs.ts';
import { TaskState } from '../../../proto/gen/swarm/types.ts';
import { settle } from '../../support/virtual-clock.ts';
import { AgentWorld } from '../../worker/agent/harness.ts';
import { Reader } from '../dispatcher/harness.ts';
import { node, task } from '../dispatcher/objects.ts';

type Options = NonNullable<Parameters<typeof SubscribeLogsRequest.fromPartial>[0]['options']>;

function subscribe(
  world: AgentWorld,
  options: Options = {},
  selector: object = { serviceIds: ['service'] },
) {
  const request = SubscribeLogsRequest.fromPartial({ selector, options });
  return new Reader((signal) => world.broker.subscribe(request, signal));
}

function texts(reader: ReturnType<typeof subscribe>): string[] {
  return reader.messages
    .flatMap(({ messages }) => messages)
    .map(({ context, data }) => `${context?.taskId} ${data.toString().trim()}`);
}

async function running(...ids: string[]): Promise<AgentWorld> {
  const world = await AgentWorld.start();
  await world.manager.put({ tasks: ids.map((id) => task(id, 'n1')) });
  for (const id of ids) await world.reaches(id, TaskState.RUNNING);
  return world;
}

test('what the tasks of a service have printed, and then the end', async () => {
  const world = await running('t1', 't2');
  world.engine.print('t1', 'one');
  world.engine.print('t2', 'two');
  world.engine.print('t1', 'three', 'stderr');
  const reader = subscribe(world);
  await world.run(500);
  assert.ok(reader.ended);
  assert.deepEqual(texts(reader).sort(), ['t1 one', 't1 three', 't2 two']);
  const [line] = reader.messages.flatMap(({ messages }) => messages);
  assert.deepEqual(line?.context, { serviceId: 'service', nodeId: 'n1', taskId: 't1' });
  assert.equal(line?.timestamp?.toISOString(), '2026-01-01T00:00:00.123Z');
  assert.equal(line?.timestampNs, 456789);
  await world.agent.stop({ leave: false });
});

test('the last lines, one stream, or what came since', async () => {
  const world = await running('t1');
  for (const [i, text] of ['a', 'b', 'c', 'd'].entries()) {
    world.engine.print('t1', text, i % 2 ? 'stderr' : 'stdout');
  }
  const tail = subscribe(world, { tail: -3 });
  const none = subscribe(world, { tail: -1 });
  const errors = subscribe(world, { streams: [LogStream.STDERR] });
  const since = subscribe(world, { since: new Date('2026-01-01T00:00:02Z') });
  const skip = subscribe(world, { tail: 3 });
  await world.run(500);
  assert.deepEqual(texts(tail), ['t1 c', 't1 d']);
  assert.deepEqual(texts(none), []);
  assert.deepEqual(texts(errors), ['t1 b', 't1 d']);
  assert.deepEqual(texts(since), ['t1 c', 't1 d']);
  assert.deepEqual(texts(skip), ['t1 d']);
  await world.agent.stop({ leave: false });
});

test('following goes on, also with tasks that come later, until the client goes', async () => {
  const world = await running('t1');
  world.engine.print('t1', 'before');
  const reader = subscribe(world, { follow: true });
  await world.run(200);
  world.engine.print('t1', 'after');
  await world.run(200);
  assert.deepEqual(texts(reader), ['t1 before', 't1 after']);
  await world.manager.put({ tasks: [task('t2', 'n1')] });
  await world.reaches('t2', TaskState.RUNNING);
  world.engine.print('t2', 'new');
  await world.run(200);
  assert.deepEqual(texts(reader).at(-1), 't2 new');
  assert.equal(reader.ended, false);
  reader.stop.abort(new Error('enough'));
  await world.run(200);
  const { length } = reader.messages;
  world.engine.print('t1', 'unheard');
  await world.run(200);
  assert.equal(reader.messages.length, length);
  await world.agent.stop({ leave: false });
});

test('following survives an interruption of the session, and repeats nothing', async () => {
  const world = await running('t1');
  world.engine.print('t1', 'one');
  const reader = subscribe(world, { follow: true });
  await world.run(200);
  world.cutLine();
  await world.run(1_000);
  world.mendLine();
  await world.run(20_000);
  world.engine.print('t1', 'two');
  await world.run(500);
  assert.deepEqual(texts(reader), ['t1 one', 't1 two']);
  await world.agent.stop({ leave: false });
});

test('what is missing is said at the end', async () => {
  const world = await running('t1');
  await world.manager.put({
    nodes: [node('n2')],
    tasks: [
      task('t2', 'n2', { status: { state: TaskState.RUNNING } }),
      task('t3', '', { status: { state: TaskState.PENDING } }),
    ],
  });
  world.engine.print('t1', 'here');
  const reader = subscribe(world, {}, { taskIds: ['t1', 't2', 't3'] });
  await world.run(500);
  assert.deepEqual(texts(reader), ['t1 here']);
  assert.equal(
    String(reader.error),
    'SwarmError: warning: incomplete log stream. some logs could not be retrieved for the following ' +
      'reasons: task t3 has not been scheduled, node n2 is not available',
  );
  await world.agent.stop({ leave: false });
});

test('a service of which nothing has run yet has no logs, and that is no error', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({
    tasks: [task('t1', 'gone', { status: { state: TaskState.ASSIGNED } })],
  });
  const reader = subscribe(world);
  await settle();
  assert.ok(reader.ended);
  assert.equal(reader.error, undefined);
  await world.agent.stop({ leave: false });
});

test('a node that vanishes in the middle ends the wait for it', async () => {
  const world = await AgentWorld.start();
  await world.agent.stop({ leave: false });
  const stop = new AbortController();
  const listener = new Reader((signal) =>
    world.broker.listen('n1', AbortSignal.any([signal, stop.signal])),
  );
  await world.manager.put({ tasks: [task('t1', 'n1', { status: { state: TaskState.RUNNING } })] });
  const reader = subscribe(world);
  await settle();
  assert.equal(listener.messages.length, 1);
  stop.abort(new Error('gone'));
  await settle();
  assert.match(String(reader.error), /node n1 disconnected unexpectedly/);
});

test('a node publishes for itself alone', async () => {
  const world = await running('t1');
  const reader = subscribe(world, { follow: true });
  await settle();
  const listener = new Reader((signal) => world.broker.listen('n1', signal));
  await settle();
  async function* lines(): AsyncGenerator<PublishLogsMessage> {
    const context = { serviceId: 'service', nodeId: 'n2', taskId: 't1' };
    const line = { context, stream: 1, data: Buffer.from('x'), attrs: {}, timestampNs: 0 };
    yield { subscriptionId: listener.last.id, messages: [line], close: false };
  }
  await assert.rejects(world.broker.publish('n1', lines()), { code: 'SWM_PERMISSION_DENIED' });
  reader.stop.abort(new Error('enough'));
  await world.agent.stop({ leave: false });
});

test('a slow client holds up the nodes instead of filling the memory', async () => {
  const world = await AgentWorld.start();
  await world.agent.stop({ leave: false });
  await world.manager.put({ tasks: [task('t1', 'n1', { status: { state: TaskState.RUNNING } })] });
  const listener = new Reader((signal) => world.broker.listen('n1', signal));
  await settle();
  const request = SubscribeLogsRequest.fromPartial({ selector: { serviceIds: ['service'] } });
  const client = world.broker.subscribe(request, new AbortController().signal);
  const first = client.next();
  await settle();
  let sent = 0;
  async function* flood(): AsyncGenerator<PublishLogsMessage> {
    const context = { serviceId: 'service', nodeId: 'n1', taskId: 't1' };
    const line = { context, stream: 1, data: Buffer.from('x'), attrs: {}, timestampNs: 0 };
    for (; sent < 1_000; sent++) {
      yield { subscriptionId: listener.last.id, messages: [line], close: false };
    }
    yield { subscriptionId: listener.last.id, messages: [], close: true };
  }
  const published = world.broker.publish('n1', flood());
  await first;
  await settle();
  assert.ok(sent < 100, `${sent} batches were taken`);
  let received = 1;
  for await (const _ of client) received++;
  await published;
  assert.equal(received, 1_000);
});
