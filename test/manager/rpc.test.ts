import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { type TestContext, test } from 'node:test';
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { SwarmError } from '../../common/errors.ts';
import { unaryHandler } from '../../common/grpc-stream.ts';
import { callUnary } from '../../manager/rpc.ts';
import { CAService, type GetRootCACertificateResponse } from '../../proto/gen/swarm/ca.ts';
import { onEnd } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { deafServer, LOOPBACK } from '../support/loopback.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const METHOD = CAService.getRootCaCertificate;
const TIMEOUT_MS = 5_000;

test('an answer in time, and an error of the handler, leave nothing behind', async (t) => {
  const { clock, call, server } = await bench(t);
  server.answer = async () => ({ certificate: Buffer.from('root'), unixTimeMs: 7 });
  const { signal } = new AbortController();
  const { response } = await call(signal);
  assert.equal(response.unixTimeMs, 7);
  server.answer = () => Promise.reject(new SwarmError('SWM_NOT_FOUND', 'there is none'));
  await assert.rejects(call(signal), { code: 'SWM_NOT_FOUND', message: 'there is none' });
  assert.equal(clock.pending, 0);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('who does not answer in time is not waited for, and learns that', async (t) => {
  const { clock, call, server, addr } = await bench(t);
  const late = assert.rejects(call(), {
    code: 'SWM_TIMEOUT',
    message: `no answer from ${addr} within 5 s`,
  });
  await eventually(() => assert.equal(server.open, 1));
  await clock.advance(TIMEOUT_MS - 1);
  assert.equal(clock.pending, 1);
  await clock.advance(1);
  await late;
  await eventually(() => assert.equal(server.open, 0));
});

test('so is one that takes the connection and never says a word', async (t) => {
  const clock = new VirtualClock();
  const addr = await deafServer(t);
  const late = assert.rejects(caller(t, addr, clock)(), { code: 'SWM_TIMEOUT' });
  await clock.advance(TIMEOUT_MS);
  await late;
});

test('a signal ends the call with its reason', async (t) => {
  const { clock, call, server } = await bench(t);
  const abort = new AbortController();
  const ended = assert.rejects(call(abort.signal), /enough/);
  await eventually(() => assert.equal(server.open, 1));
  abort.abort(new Error('enough'));
  await ended;
  assert.equal(clock.pending, 0);
  await eventually(() => assert.equal(server.open, 0));
  await assert.rejects(call(abort.signal), /enough/);
});

/** A server whose handler answers with `answer`, by default never. */
async function bench(t: TestContext) {
  const server = {
    answer: (): Promise<GetRootCACertificateResponse> => new Promise(() => {}),
    open: 0,
  };
  const grpc = new Server();
  const getRootCaCertificate = unaryHandler((call) => {
    server.open++;
    call.on('cancelled', () => server.open--);
    return server.answer();
  });
  grpc.addService({ getRootCaCertificate: METHOD }, { getRootCaCertificate });
  const addr = await new Promise<string>((resolve, reject) => {
    grpc.bindAsync(`${LOOPBACK}:0`, ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(`${LOOPBACK}:${port}`);
    });
  });
  onEnd(t, () => grpc.forceShutdown());
  const clock = new VirtualClock();
  return { clock, server, addr, call: caller(t, addr, clock) };
}

function caller(t: TestContext, addr: string, clock: VirtualClock) {
  const client = new Client(addr, credentials.createInsecure());
  onEnd(t, () => client.close());
  return (signal?: AbortSignal) =>
    callUnary(client, METHOD, {}, { clock, timeoutMs: TIMEOUT_MS, signal });
}
