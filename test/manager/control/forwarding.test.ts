import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { SwarmError } from '../../../common/errors.ts';
import { controlService, forwardingControl, LeaderCalls } from '../../../manager/control/index.ts';
import type { ControlApi } from '../../../manager/types.ts';
import {
  type ControlStreamServer,
  ControlStreamService,
  type ForwardedCalls,
} from '../../../proto/gen/swarm/control.ts';
import { Config } from '../../../proto/gen/swarm/objects.ts';
import { ConfigSpec } from '../../../proto/gen/swarm/specs.ts';
import { onEnd } from '../../support/cleanup.ts';
import { eventually } from '../../support/eventually.ts';
import { LOOPBACK } from '../../support/loopback.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

/** A leader with the operations of `leader`, and the operations of a manager that forwards to it. */
async function forwarding(t: TestContext, leader: Partial<ControlApi>) {
  const store = { appliedIndex: 7 };
  const messages: ForwardedCalls[] = [];
  const service = controlService({ control: () => leader as ControlApi, store });
  const server = await listen(t, {
    forward: (stream) => {
      stream.on('data', (message: ForwardedCalls) => messages.push(message));
      (service['forward'] as ControlStreamServer['forward'])(stream);
    },
  });
  const clock = new VirtualClock();
  const client = { current: connect(t, server.addr) };
  const calls = new LeaderCalls({ clock, leader: () => client.current });
  onEnd(t, () => calls.close());
  const waited: number[] = [];
  const waitApplied = async (index: number) => void waited.push(index);
  const control = forwardingControl({ clock, calls, store: { waitApplied } });
  return { control, calls, clock, messages, waited, server: server.server, client, store };
}

async function listen(t: TestContext, implementation: ControlStreamServer) {
  const server = new Server();
  server.addService(ControlStreamService, implementation);
  onEnd(t, () => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    const insecure = ServerCredentials.createInsecure();
    server.bindAsync(`${LOOPBACK}:0`, insecure, (error, at) =>
      error ? reject(error) : resolve(at),
    );
  });
  return { server, addr: `${LOOPBACK}:${port}` };
}

function connect(t: TestContext, addr: string): Client {
  const client = new Client(addr, credentials.createInsecure());
  onEnd(t, () => client.close());
  return client;
}

const spec = (name: string, data = '') =>
  ConfigSpec.fromPartial({ annotations: { name }, data: Buffer.from(data) });

const created = async (wanted: ConfigSpec) =>
  Config.fromPartial({ id: `id-${wanted.annotations?.name}`, spec: wanted });

test('the answer is the leader’s, and this manager shows what was written', async (t) => {
  const { control, waited } = await forwarding(t, { createConfig: created });
  const config = await control.createConfig(spec('a', 'data'));
  assert.equal(config.id, 'id-a');
  assert.equal(config.spec?.data.toString(), 'data');
  assert.deepEqual(waited, [7]);
});

test('an error is the leader’s, with its code and what to do', async (t) => {
  const refuse = async () => {
    throw new SwarmError('SWM_CONFLICT', 'it is in use', { hint: 'Remove the service first.' });
  };
  const { control } = await forwarding(t, { removeConfig: refuse });
  await assert.rejects(control.removeConfig('x'), {
    code: 'SWM_CONFLICT',
    message: 'it is in use',
    hint: 'Remove the service first.',
  });
});

test('calls of one turn travel in one message, and each gets its own answer', async (t) => {
  const { control, messages } = await forwarding(t, { createConfig: created });
  const names = Array.from({ length: 50 }, (_, i) => `c${i}`);
  const configs = await Promise.all(names.map((name) => control.createConfig(spec(name))));
  assert.deepEqual(
    configs.map(({ id }) => id),
    names.map((name) => `id-${name}`),
  );
  assert.equal(messages.length, 1);
});

test('what is large travels by itself', async (t) => {
  const { control, messages } = await forwarding(t, { createConfig: created });
  const large = 'x'.repeat(900 * 1024);
  const configs = await Promise.all(
    ['a', 'b', 'c'].map((name) => control.createConfig(spec(name, large))),
  );
  assert.deepEqual(
    configs.map(({ spec }) => spec?.data.length),
    [large.length, large.length, large.length],
  );
  assert.equal(messages.length, 3);
});

test('a leader that dies leaves nobody waiting, and a new stream is made', async (t) => {
  const never = () => new Promise<never>(() => undefined);
  const { control, messages, server, client } = await forwarding(t, { removeConfig: never });
  const lost = assert.rejects(control.removeConfig('x'), {
    code: 'SWM_UNAVAILABLE',
    message: /ended before it answered; whether it did what was asked is not known/,
  });
  await eventually(() => assert.equal(messages.length, 1));
  server.forceShutdown();
  await lost;
  const service = controlService({
    control: () => ({ removeConfig: async () => undefined }) as Partial<ControlApi> as ControlApi,
    store: { appliedIndex: 1 },
  });
  const next = await listen(t, service);
  client.current = connect(t, next.addr);
  await control.removeConfig('x');
});

test('an old stream answers what it was asked before another leader was known', async (t) => {
  let finish: (() => void) | undefined;
  const slow = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const { control, calls, messages, client, server } = await forwarding(t, {
    removeConfig: () => slow,
    removeSecret: async () => undefined,
  });
  const removal = control.removeConfig('x');
  await eventually(() => assert.equal(messages.length, 1));
  client.current = connect(t, client.current.getChannel().getTarget());
  await control.removeSecret('y');
  finish?.();
  await removal;
  // It is ended then: a server that stops waits for every stream.
  calls.close();
  await new Promise((resolve) => server.tryShutdown(resolve));
});

test('who waits for a leader that was replaced is told soon', async (t) => {
  const never = () => new Promise<never>(() => undefined);
  const { control, calls, clock, messages, client } = await forwarding(t, {
    removeConfig: never,
    removeSecret: async () => undefined,
  });
  const told = assert.rejects(control.removeConfig('x'), {
    code: 'SWM_UNAVAILABLE',
    message: /ended before it answered; whether it did what was asked is not known/,
  });
  await eventually(() => assert.equal(messages.length, 1));
  calls.follow();
  await control.removeSecret('the same leader');
  client.current = connect(t, client.current.getChannel().getTarget());
  calls.follow();
  await clock.advance(1_000);
  await told;
  await control.removeSecret('the new leader');
});

test('a leader that says nothing is given up after a while', async (t) => {
  const never = () => new Promise<never>(() => undefined);
  const { control, clock } = await forwarding(t, { removeConfig: never });
  const late = assert.rejects(control.removeConfig('x'), { code: 'SWM_TIMEOUT' });
  await clock.advance(20_000);
  await late;
});

test('an operation of a newer version is refused by name', async (t) => {
  const { calls } = await forwarding(t, {});
  const call = calls.call('frobnicate' as 'removeConfig', Buffer.alloc(0));
  await assert.rejects(call, { code: 'SWM_NOT_IMPLEMENTED', message: /frobnicate/ });
});
