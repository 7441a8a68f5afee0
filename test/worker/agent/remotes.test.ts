import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Peer } from '../../../proto/gen/swarm/types.ts';
import { Backoff } from '../../../worker/agent/backoff.ts';
import { Remotes } from '../../../worker/agent/remotes.ts';
import { seededRandom } from '../../support/seeded-random.ts';

function remotes(
  addresses: readonly string[],
  onChange?: (peers: readonly Peer[]) => void,
): Remotes {
  const peers = addresses.map((addr) => ({ nodeId: `id-${addr}`, addr }));
  return new Remotes({ random: seededRandom(1), ...(onChange ? { onChange } : {}) }, { peers });
}

function shares(subject: Remotes): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < 3_000; i++) {
    const addr = subject.choose() ?? 'none';
    counts[addr] = (counts[addr] ?? 0) + 1;
  }
  return counts;
}

test('without experience every manager is as good as another', () => {
  const counts = shares(remotes(['a', 'b', 'c']));
  for (const addr of ['a', 'b', 'c']) assert.ok(Math.abs((counts[addr] ?? 0) - 1_000) < 150);
});

test('one that served well is preferred, one that failed is avoided', () => {
  const subject = remotes(['a', 'b', 'c']);
  subject.succeeded('a');
  subject.failed('b');
  const counts = shares(subject);
  assert.ok((counts['a'] ?? 0) > 2_900);
  subject.failed('a');
  subject.failed('a');
  assert.ok((shares(subject)['a'] ?? 0) < 1_200, 'and forgotten when it fails');
});

test('the list of the leader replaces what was known, and is passed on to be kept', () => {
  const kept: (readonly Peer[])[] = [];
  const subject = remotes(['a', 'b'], (peers) => kept.push(peers));
  const list = ['b', 'c'].map((addr) => ({ peer: { nodeId: `id-${addr}`, addr }, weight: 10 }));
  subject.replace([...list, { peer: { nodeId: 'nowhere', addr: '' }, weight: 10 }]);
  subject.replace(list);
  assert.deepEqual(kept, [list.map(({ peer }) => peer)]);
  subject.replace([]);
  assert.equal(subject.size, 2, 'an empty list is no news');
});

test('nobody known, nobody chosen', () => {
  assert.equal(remotes([]).choose(), undefined);
});

test('the time between attempts grows to 3 s, and is random below', () => {
  const backoff = new Backoff({ float: () => 0.999, bytes: (size) => new Uint8Array(size) });
  const delays = Array.from({ length: 9 }, () => Math.round(backoff.next()));
  assert.deepEqual(delays, [100, 300, 699, 1499, 2997, 2997, 2997, 2997, 2997]);
  backoff.reset();
  assert.ok(backoff.next() < 100);
});

test('the address that serves is kept, though the managers advertise others', () => {
  const subject = remotes(['nat:2377', 'gone:2377']);
  const list = [{ peer: { nodeId: 'm1', addr: '10.0.0.1:2377' }, weight: 10 }];
  subject.replace(list, 'nat:2377');
  assert.deepEqual(
    subject
      .peers()
      .map(({ addr }) => addr)
      .sort(),
    ['10.0.0.1:2377', 'nat:2377'],
  );
  subject.replace(list, '10.0.0.1:2377');
  assert.deepEqual(subject.peers(), [{ nodeId: 'm1', addr: '10.0.0.1:2377' }]);
});
