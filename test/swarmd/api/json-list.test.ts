import assert from 'node:assert/strict';
import { test } from 'node:test';
import fastify from 'fastify';
import { systemClock } from '../../../common/clock.ts';
import { sendList } from '../../../swarmd/api/http/json-list.ts';

/** Answers with `count` numbers, each of which takes a millisecond of the clock to convert. */
async function list(count: number, convert: (n: number) => unknown = (n) => ({ n })) {
  let time = 0;
  let atOnce = 0;
  let longest = 0;
  const clock = { ...systemClock, monotonic: () => time };
  const yieldTurn = async () => {
    atOnce = 0;
  };
  const app = fastify();
  const items = Array.from({ length: count }, (_, n) => n);
  app.get('/', async (_request, reply) => {
    reply.header('content-type', 'application/json');
    return sendList(reply, { clock, yieldTurn }, items, (n) => {
      time += 1;
      atOnce += 1;
      longest = Math.max(longest, atOnce);
      return convert(n);
    });
  });
  const response = await app.inject({ method: 'GET', url: '/' });
  await app.close();
  return { response, longest };
}

test('a list of any length is valid JSON, and made a few items at a time', async () => {
  for (const count of [0, 1, 5_000, 20_000]) {
    const { response, longest } = await list(count);
    assert.equal(response.statusCode, 200);
    assert.deepEqual(
      response.json(),
      Array.from({ length: count }, (_, n) => ({ n })),
    );
    assert.ok(longest <= 5, `${longest} at a stretch`);
  }
});

test('a short list is sent whole, a long one in pieces', async () => {
  const short = await list(10);
  assert.equal(short.response.headers['content-length'], String(short.response.body.length));
  const long = await list(20_000);
  assert.equal(long.response.headers['content-length'], undefined);
});

test('what is not to be in the list leaves no trace', async () => {
  const { response } = await list(7, (n) => (n % 3 === 1 ? n : undefined));
  assert.equal(response.body, '[1,4]');
  assert.equal((await list(7, () => undefined)).response.body, '[]');
});

test('an item that fails is an ordinary error while nothing is sent yet', async () => {
  const failing = (n: number) => {
    if (n === 3) throw new Error('cannot be shown');
    return n;
  };
  const { response } = await list(10, failing);
  assert.equal(response.statusCode, 500);
  assert.equal(response.json().message, 'cannot be shown');
});
