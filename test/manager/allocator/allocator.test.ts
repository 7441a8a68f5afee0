import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Allocator } from '../../../manager/allocator/allocator.ts';
import { describeUsage } from '../../../manager/allocator/usage.ts';
import { Network } from '../../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../../proto/gen/swarm/types.ts';
import { localStore } from '../../support/local-store.ts';
import { settle, VirtualClock } from '../../support/virtual-clock.ts';
import { addressesOf, World } from './world.ts';

const started: Allocator[] = [];
afterEach(async () => {
  for (const allocator of started.splice(0)) await allocator.stop();
});

async function world() {
  const clock = new VirtualClock();
  const { store, proposer } = localStore(clock);
  const w = new World(store);
  const allocator = new Allocator({ store, clock });
  await allocator.start();
  started.push(allocator);
  return { w, clock, store, proposer, allocator };
}

const small = { ipam: { configs: [{ subnet: '10.9.0.0/29' }] } };
const ids = (count: number) => Array.from({ length: count }, (_, i) => `t${i}`);

test('tasks get serial addresses and become pending, in one transaction', async () => {
  const { w, store, proposer } = await world();
  await w.network('net');
  await w.service('s', ['net']);
  const before = proposer.log.length;
  await w.tasks(ids(30), ['net'], { serviceId: 's' });
  await settle();
  assert.equal(proposer.log.length, before + 2, 'one of the orchestrator, one of the allocator');
  assert.deepEqual(addressesOf(w.get('t0').networks), ['10.0.0.3/24']);
  assert.deepEqual(addressesOf(w.get('t29').networks), ['10.0.0.32/24']);
  const { status, endpoint, networks } = w.get('t7');
  assert.equal(status?.state, TaskState.PENDING);
  assert.equal(status?.message, 'pending task scheduling');
  assert.deepEqual(endpoint, store.view((tx) => tx.get('service', 's'))?.endpoint);
  assert.equal(networks[0]?.network?.ipam?.configs[0]?.gateway, '10.0.0.1');
});

test('a task without networks is pending at once, one that is not wanted stays', async () => {
  const { w } = await world();
  await w.task('t', []);
  await w.task('gone', [], { desiredState: TaskState.REMOVE });
  await settle();
  assert.equal(w.state('t'), TaskState.PENDING);
  assert.equal(w.state('gone'), TaskState.NEW);
});

test('a task on the ingress has that attachment first', async () => {
  const { w } = await world();
  await w.ingress();
  await w.network('net');
  await w.service('s', ['net'], { ports: [{ targetPort: 80, publishedPort: 80 }] });
  await w.task('t', ['net'], { serviceId: 's' });
  await settle();
  assert.deepEqual(
    w.get('t').networks.map(({ network }) => network?.id),
    ['ingress', 'net'],
  );
});

test('an address is reused as late as possible, also after a change of leader', async () => {
  const { w, store, allocator } = await world();
  await w.network('net', small);
  await w.tasks(['a', 'b'], ['net']);
  await settle();
  assert.deepEqual(addressesOf(w.get('b').networks), ['10.9.0.3/29']);
  await w.remove('task', 'b');
  await allocator.stop();
  const next = new Allocator({ store, clock: new VirtualClock() });
  started.push(next);
  await next.start();
  await w.tasks(['c', 'd', 'e'], ['net']);
  await settle();
  assert.deepEqual(
    ['c', 'd', 'e'].flatMap((id) => addressesOf(w.get(id).networks)),
    ['10.9.0.4/29', '10.9.0.5/29', '10.9.0.6/29'],
  );
  await w.task('f', ['net']);
  await settle();
  assert.deepEqual(addressesOf(w.get('f').networks), ['10.9.0.3/29'], 'wraps to what is free');
});

test('without an address a task waits and says why, and goes on when one is freed', async () => {
  const { w, store } = await world();
  await w.network('net', small);
  await w.tasks(ids(8), ['net']);
  await settle();
  const waiting = ids(8).filter((id) => w.state(id) === TaskState.NEW);
  assert.equal(waiting.length, 3);
  const { status } = w.get(waiting[0]!);
  assert.equal(status?.message, 'waiting for network resources');
  assert.equal(
    status?.err,
    'no available IPv4 addresses on network net: all of 10.9.0.0/29 are in use',
  );
  const usage = store.view((tx) => describeUsage(tx, tx.get('network', 'net')!));
  assert.deepEqual(usage.waiting.map(({ taskId }) => taskId).sort(), waiting);
  assert.deepEqual(
    usage.subnets.map(({ total, used, free }) => ({ total, used, free })),
    [{ total: 6, used: 6, free: 0 }],
  );

  await w.move('t0', TaskState.COMPLETE);
  await w.remove('task', 't1');
  await settle();
  assert.equal(ids(8).filter((id) => id !== 't1' && w.state(id) === TaskState.NEW).length, 1);
  const freed = waiting.find((id) => w.state(id) === TaskState.PENDING)!;
  assert.equal(w.get(freed).status?.err, '');
});

test('a requested address is given, or the task says who has it', async () => {
  const { w } = await world();
  await w.network('net');
  const fixed = (address: string) => ({
    spec: { networks: [{ target: 'net', addresses: [address], aliases: ['db'] }] },
  });
  await w.task('a', [], fixed('10.0.0.50'));
  await w.task('b', [], fixed('10.0.0.50'));
  await w.task('c', [], fixed('192.168.0.1'));
  await w.task('d', [], fixed('10.0.0.1'));
  await settle();
  assert.deepEqual(addressesOf(w.get('a').networks), ['10.0.0.50/24']);
  assert.deepEqual(w.get('a').networks[0]?.aliases, ['db']);
  assert.equal(
    w.get('b').status?.err,
    'address 10.0.0.50 on network net is already in use by task ..a',
  );
  assert.match(w.get('c').status?.err ?? '', /address 192.168.0.1 is not in network net/);
  assert.match(w.get('d').status?.err ?? '', /in use by the network itself/);
  await w.move('a', TaskState.FAILED);
  await settle();
  assert.deepEqual(addressesOf(w.get('b').networks), ['10.0.0.50/24']);
});

test('a task waits for its network and its service', async () => {
  const { w, store } = await world();
  await w.task('t', ['late']);
  await settle();
  assert.equal(w.get('t').status?.err, 'network late not found');
  await store.update((tx) => {
    const late = Network.fromPartial({ id: 'n', spec: { annotations: { name: 'late' } } });
    tx.create('network', late);
  });
  await settle();
  assert.equal(w.state('t'), TaskState.PENDING);
  assert.deepEqual(addressesOf(w.get('t').networks), ['10.0.0.2/24']);
});

test('every node is on the ingress, and on other overlays while it has a task there', async () => {
  const { w, store } = await world();
  await w.node('n1');
  await w.ingress();
  await w.network('net');
  await w.node('n2');
  await settle();
  const attached = (id: string) =>
    store.view((tx) => tx.get('node', id))?.attachments.map(({ network }) => network?.id);
  assert.deepEqual(attached('n1'), ['ingress']);
  assert.deepEqual(attached('n2'), ['ingress']);

  await w.tasks(['a', 'b'], ['net']);
  await w.task('pinned', ['net'], { nodeId: 'n2' });
  await settle();
  assert.equal(w.state('pinned'), TaskState.PENDING);
  assert.deepEqual(attached('n1'), ['ingress']);
  assert.deepEqual(attached('n2'), ['ingress', 'net']);
  await w.move('a', TaskState.ASSIGNED, 'n1');
  await w.move('b', TaskState.ASSIGNED, 'n1');
  assert.deepEqual(attached('n1'), ['ingress', 'net']);
  await w.move('a', TaskState.SHUTDOWN);
  await settle();
  assert.deepEqual(attached('n1'), ['ingress', 'net']);
  await w.remove('task', 'b');
  await settle();
  assert.deepEqual(attached('n1'), ['ingress']);
});

test('what a removed network leaves behind is removed with it', async () => {
  const { w, store } = await world();
  await w.ingress();
  await w.node('n1');
  await w.network('net');
  await w.task('t', ['net']);
  await settle();
  await w.remove('task', 't');
  await w.remove('network', 'net');
  await w.remove('network', 'ingress');
  await settle();
  assert.deepEqual(store.view((tx) => tx.get('node', 'n1'))?.attachments, []);
  const left = store.view((tx) => Array.from(tx.all('resource'), ({ id }) => id));
  assert.deepEqual(left, ['ipam/vni']);
});

test('what could not be written is found and allocated again a second later', async () => {
  const { w, clock, proposer } = await world();
  await w.network('net');
  await settle();
  // The task is written, what the allocator makes of it is not.
  proposer.failAfter(1);
  await w.task('t', ['net']);
  await clock.advance(999);
  assert.equal(w.state('t'), TaskState.NEW);
  await clock.advance(1);
  assert.equal(w.state('t'), TaskState.PENDING);
});
