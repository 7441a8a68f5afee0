import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { SwarmError } from '../../../common/errors.ts';
import { NODE_ID } from './bench.ts';
import { answered, serve, textOf } from './served.ts';

test('a backup is streamed as a tar', async (t) => {
  const { request } = await serve(t);
  const response = await answered(request('GET', '/swarm/backup'));
  assert.deepEqual(
    [response.statusCode, response.headers['content-type']],
    [200, 'application/x-tar'],
  );
  assert.equal(await textOf(response), 'a backup in pieces');
});

test('without a leader there is a backup of what this manager knows, if asked for', async (t) => {
  const { request, manager } = await serve(t);
  manager.failure = new SwarmError('SWM_NO_LEADER', 'no leader');
  assert.equal((await answered(request('GET', '/swarm/backup'))).statusCode, 503);
  const local = await answered(request('GET', '/swarm/backup?local=1'));
  assert.equal(await textOf(local), 'a backup in pieces');
});

test('a backup is recovered where there is no swarm', async (t) => {
  const { socketPath, node } = await serve(t, { swarm: false });
  const upload = http.request({
    socketPath,
    method: 'POST',
    path: '/swarm/recover?advertiseAddr=10.1.0.9',
    headers: { 'x-swarm-unlock-key': 'SWMKEY-1-x', 'content-type': 'application/x-tar' },
  });
  upload.end('an archive');
  const response = await answered(upload);
  assert.deepEqual([response.statusCode, await textOf(response)], [200, `"${NODE_ID}"`]);
  const wanted = {
    listenAddr: '',
    advertiseAddr: '10.1.0.9',
    dataPathAddr: '',
    unlockKey: 'SWMKEY-1-x',
  };
  assert.deepEqual(node.calls, [['recover', wanted, 'an archive']]);

  const member = await serve(t);
  const refused = await answered(member.request('POST', '/swarm/recover'));
  assert.equal(refused.statusCode, 503);
  assert.match(await textOf(refused), /already part of a swarm/);
});
