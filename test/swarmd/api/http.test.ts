import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { systemClock } from '../../../common/clock.ts';
import { SwarmError } from '../../../common/errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import { createApp } from '../../../swarmd/api/app.ts';
import { EventHub } from '../../../swarmd/api/events/event-hub.ts';
import { findJsonFault } from '../../../swarmd/api/http/json-syntax.ts';
import { parseDuration, parseTime, rfc3339 } from '../../../swarmd/api/http/time.ts';
import { apiBench } from './bench.ts';

test('every answer carries the headers of the engine', async () => {
  const { call } = await apiBench();
  for (const url of ['/version', '/v1.50/nodes', '/nope', '/_ping']) {
    const { headers } = await call('GET', url);
    assert.equal(headers['server'], 'Docker/28.2.2 (linux)');
    assert.equal(headers['api-version'], '1.50');
    assert.equal(headers['ostype'], 'linux');
    assert.equal(headers['docker-experimental'], 'false');
  }
});

test('an error is JSON without a charset', async () => {
  const { call } = await apiBench();
  const { status, headers, text } = await call('GET', '/v1.50/unheard/of');
  assert.equal(status, 404);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(text, '{"message":"page not found"}');
});

test('the caller may add routes of its own', async () => {
  const { node } = await apiBench();
  const app = createApp(
    {
      node,
      logger: silentLogger,
      clock: systemClock,
      random: systemRandom,
      events: new EventHub(),
    },
    (server) => server.get('/metrics', (_, reply) => reply.type('text/plain').send('up 1')),
  );
  const response = await app.inject('/metrics');
  assert.equal(response.body, 'up 1');
  assert.match(String(response.headers['content-type']), /^text\/plain/);
});

test('a failure that somebody foresaw is logged in one line, any other with its stack', async () => {
  const { node } = await apiBench();
  const lines: { msg: string; err: unknown }[] = [];
  const logger = pino({ level: 'warn' }, { write: (line) => lines.push(JSON.parse(line)) });
  const parts = { node, logger, clock: systemClock, random: systemRandom, events: new EventHub() };
  const app = createApp(parts, (server) => {
    const failWith = (error: Error) => async () => Promise.reject(error);
    server.get('/foreseen', failWith(new SwarmError('SWM_UNAVAILABLE', 'no leader')));
    server.get('/unforeseen', failWith(new SwarmError('SWM_INTERNAL', 'the key is gone')));
    server.get('/wrong', failWith(new SwarmError('SWM_INVALID_ARGUMENT', 'no')));
  });
  for (const url of ['/foreseen', '/unforeseen', '/wrong']) await app.inject(url);
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['GET /foreseen failed', 'GET /unforeseen failed'],
  );
  assert.equal(lines[0]?.err, 'no leader');
  assert.match((lines[1]?.err as Error | undefined)?.stack ?? '', /http\.test/);
});

test('ping tells the place in the swarm, to GET and to HEAD', async () => {
  const bench = await apiBench({ swarm: false });
  const swarm = async () => (await bench.call('GET', '/_ping')).headers['swarm'];
  assert.equal(await swarm(), 'inactive');
  bench.node.become({ localNodeState: 'locked', role: 'manager' }, undefined);
  assert.equal(await swarm(), 'locked');
  bench.node.become({ localNodeState: 'active', role: 'worker' }, undefined);
  assert.equal(await swarm(), 'active/worker');
  bench.node.become({ localNodeState: 'active', role: 'manager' }, bench.manager);
  const head = await bench.call('HEAD', '/_ping');
  assert.equal(head.headers['swarm'], 'active/manager');
  assert.equal(head.headers['content-length'], '0');
  const get = await bench.call('GET', '/v1.41/_ping');
  assert.equal(get.text, 'OK');
  assert.equal(get.headers['content-type'], 'text/plain; charset=utf-8');
  assert.equal(get.headers['cache-control'], 'no-cache, no-store, must-revalidate');
});

test('versions from 1.24 to 1.50 are served, also without a prefix', async () => {
  const { call } = await apiBench();
  for (const prefix of ['', '/v1.24', '/v1.43', '/v1.50']) {
    assert.equal((await call('GET', `${prefix}/version`)).status, 200);
  }
  const old = await call('GET', '/v1.23/version');
  assert.deepEqual(
    [old.status, old.json.message],
    [
      400,
      'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    ],
  );
  const fresh = await call('GET', '/v1.99/version');
  assert.deepEqual(
    [fresh.status, fresh.json.message],
    [400, 'client version 1.99 is too new. Maximum supported API version is 1.50'],
  );
});

test('a body must be one JSON object', async () => {
  const { app } = await apiBench();
  const send = async (payload: string, type = 'application/json') => {
    const headers = { 'content-type': type };
    const response = await app.inject({ method: 'POST', url: '/swarm/join', headers, payload });
    return [response.statusCode, response.json().message];
  };
  assert.deepEqual(await send('{invalid json'), [
    400,
    "invalid JSON: invalid character 'i' looking for beginning of object key string",
  ]);
  assert.deepEqual(await send('{} {}'), [400, 'unexpected content after JSON']);
  assert.deepEqual(await send(''), [400, 'invalid JSON: got EOF while reading request body']);
  assert.deepEqual(await send('{}', 'text/plain'), [
    400,
    "unsupported Content-Type header (text/plain): must be 'application/json'",
  ]);
  assert.match(String((await send('[]'))[1]), /must be an object/);
  assert.match(String((await send('{"JoinToken":3}'))[1]), /JoinToken must be a string, found 3/);
});

test('a fault is in the syntax exactly when no beginning of the text is a value', () => {
  const isJson = (text: string) => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const junk = fc.constantFrom('', '}', ',', '"', 'x', '\\', ' 1', '-', '.');
  fc.assert(
    fc.property(fc.json({ maxDepth: 2 }), fc.nat(), junk, (text, at, inserted) => {
      const cut = at % (text.length + 1);
      const changed = text.slice(0, cut) + inserted + text.slice(cut + (inserted ? 0 : 1));
      fc.pre(changed.trim() !== '');
      const lengths = Array.from({ length: changed.length }, (_, i) => i + 1);
      const begins = lengths.some((length) => isJson(changed.slice(0, length)));
      assert.equal(findJsonFault(changed).kind, begins ? 'trailing' : 'syntax');
    }),
    { seed: 1, numRuns: 500 },
  );
});

test('the reasons for a syntax error are the known ones', () => {
  const reason = (text: string) => {
    const fault = findJsonFault(text);
    return fault.kind === 'syntax' ? fault.reason : fault.kind;
  };
  assert.equal(reason(''), 'empty');
  assert.equal(reason('{"a":1'), 'unexpected EOF');
  assert.equal(reason('{"a" 1}'), "invalid character '1' after object key");
  assert.equal(reason('{"a":1 "b"}'), `invalid character '"' after object key:value pair`);
  assert.equal(reason('[1 2]'), "invalid character '2' after array element");
  assert.equal(reason('[1,]'), "invalid character ']' looking for beginning of value");
  assert.equal(reason('{"a":tru!}'), "invalid character '!' in literal true (expecting 'e')");
  assert.equal(reason('{"a":"\n"}'), "invalid character '\n' in string literal");
  assert.equal(reason('['.repeat(100_000)), 'exceeded max depth');
});

test('filters: unknown keys and malformed ones are refused', async () => {
  const { call } = await apiBench();
  const list = (filters: string) => call('GET', `/nodes?filters=${encodeURIComponent(filters)}`);
  assert.equal((await list('{"bogus":{"x":true}}')).json.message, "invalid filter 'bogus'");
  assert.equal((await list('{')).status, 400);
  assert.equal((await list('{"name":3}')).status, 400);
  assert.equal((await list('{"name":["host1"]}')).json.length, 1);
  assert.equal((await list('{"name":{"other":true}}')).json.length, 0);
});

test('hints follow the message; two errors keep their known wording', async () => {
  const bench = await apiBench();
  bench.manager.failure = new SwarmError('SWM_NO_LEADER', 'no leader');
  const { status, json } = await bench.call('GET', '/services');
  assert.equal(status, 503);
  assert.match(json.message, /^rpc error: code = \w+ desc = The swarm does not have a leader\./);
  bench.manager.failure = new SwarmError('SWM_TIMEOUT', 'too slow', { hint: 'Try again.' });
  assert.equal((await bench.call('GET', '/services')).json.message, 'too slow\nTry again.');
});

test('times in queries', () => {
  const now = Date.UTC(2026, 0, 2);
  assert.equal(parseTime('1700000000.5', now), 1_700_000_000_500);
  assert.equal(parseTime('1m30s', now), now - 90_000);
  assert.equal(parseTime('2026-01-01T00:00:00Z', now), Date.UTC(2026, 0, 1));
  assert.equal(parseTime('', now), undefined);
  assert.throws(() => parseTime('soon', now), { code: 'SWM_INVALID_ARGUMENT' });
  assert.equal(parseDuration('1.5h'), 5_400_000);
  assert.equal(parseDuration('90'), undefined);
});

test('times in answers have no trailing zeros', () => {
  assert.equal(rfc3339(new Date(0)), '1970-01-01T00:00:00Z');
  assert.equal(rfc3339(1_700_000_000_120), '2023-11-14T22:13:20.12Z');
  assert.equal(rfc3339(undefined), '0001-01-01T00:00:00Z');
});
