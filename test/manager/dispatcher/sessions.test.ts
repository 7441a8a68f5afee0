import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionMessage } from '../../../proto/gen/swarm/dispatcher.ts';
import { NodeDescription, NodeState, TaskState } from '../../../proto/gen/swarm/types.ts';
import { settle } from '../../support/virtual-clock.ts';
import { type Harness, harness, Reader } from './harness.ts';
import { node, task } from './objects.ts';

const description = NodeDescription.fromPartial({
  hostname: 'one',
  gossipPeerId: 'peer-one',
  gossipAddr: '10.0.0.1:7946',
  dataPathAddr: '10.0.0.1',
});

async function register(world: Harness, nodeId = 'n1'): Promise<Reader<SessionMessage>> {
  const reader = new Reader((signal) =>
    world.dispatcher.session({ nodeId, addr: '192.0.2.7' }, { description, sessionId: '' }, signal),
  );
  await settle();
  return reader;
}

const caller = { nodeId: 'n1', addr: '' };

test('a registration makes the node ready and stores what it says of itself', async () => {
  const world = await harness([node('n1')]);
  await world.dispatcher.start();
  const session = await register(world);
  assert.equal(session.messages.length, 1);
  const { status, description: stored } = world.node('n1');
  assert.equal(status?.state, NodeState.READY);
  assert.equal(status?.addr, '10.0.0.1');
  assert.equal(stored?.hostname, 'one');
  assert.deepEqual(session.last.gossipPeers, [
    { nodeId: 'n1', peerId: 'peer-one', addr: '10.0.0.1:7946', dataPathAddr: '10.0.0.1' },
  ]);
  assert.equal(session.last.clusterId, 'cluster');
});

test('an unknown node and a stopped dispatcher are refused', async () => {
  const world = await harness([]);
  const before = await register(world);
  assert.match(String(before.error), /dispatcher is stopped/);
  await world.dispatcher.start();
  const unknown = await register(world);
  assert.match(String(unknown.error), /node n1 not registered/);
});

test('a second registration disconnects the first, and only the newest session counts', async () => {
  const world = await harness([node('n1')]);
  await world.dispatcher.start();
  const first = await register(world);
  const second = await register(world);
  await settle();
  assert.match(String(first.error), /registered anew/);
  assert.equal(second.error, undefined);
  assert.throws(() => world.dispatcher.heartbeat(caller, first.last.sessionId), {
    message: 'session invalid',
    code: 'SWM_INVALID_ARGUMENT',
  });
  const { period } = world.dispatcher.heartbeat(caller, second.last.sessionId);
  const ms = (period?.seconds ?? 0) * 1000 + (period?.nanos ?? 0) / 1e6;
  assert.ok(ms >= 4_500 && ms <= 5_500, `${ms}`);
});

test('a node that registers too often has to wait', async () => {
  const world = await harness([node('n1')]);
  await world.dispatcher.start();
  for (let i = 0; i < 4; i++) assert.equal((await register(world)).error, undefined);
  assert.match(String((await register(world)).error), /exceeded the rate limit/);
  await world.clock.advance(8_000);
  assert.equal((await register(world)).error, undefined);
});

test('a silent node is down after three periods, and its session is over', async () => {
  const world = await harness([node('n1')]);
  await world.dispatcher.start();
  const session = await register(world);
  await world.clock.advance(13_000);
  assert.equal(world.node('n1').status?.state, NodeState.READY);
  await world.clock.advance(4_000);
  assert.equal(world.node('n1').status?.state, NodeState.DOWN);
  assert.equal(world.node('n1').status?.message, 'heartbeat failure');
  assert.match(String(session.error), /heartbeats of node n1 failed/);
  assert.throws(() => world.dispatcher.heartbeat(caller, session.last.sessionId), /not registered/);
});

test('the period comes from the cluster', async () => {
  const world = await harness([node('n1')]);
  await world.store.update((tx) => {
    const [cluster] = tx.all('cluster');
    assert.ok(cluster?.spec);
    const heartbeatPeriod = { seconds: 60, nanos: 0 };
    tx.update('cluster', {
      ...cluster,
      spec: { ...cluster.spec, dispatcher: { heartbeatPeriod } },
    });
  });
  await world.dispatcher.start();
  await register(world);
  await world.clock.advance(150_000);
  assert.equal(world.node('n1').status?.state, NodeState.READY);
});

test('gossip shortens the grace of a silent node, and of that alone', async () => {
  const world = await harness([node('n1')]);
  await world.dispatcher.start();
  const session = await register(world);
  world.dispatcher.reportGossip('n1', true, 'n2');
  for (let i = 0; i < 5; i++) {
    await world.clock.advance(4_000);
    world.dispatcher.heartbeat(caller, session.last.sessionId);
  }
  assert.equal(world.node('n1').status?.state, NodeState.READY, 'it beats, so it lives');
  await world.clock.advance(9_000);
  assert.equal(world.node('n1').status?.state, NodeState.DOWN);
});

test('gossip that comes late ends the grace at once', async () => {
  const world = await harness([node('n1')]);
  await world.dispatcher.start();
  await register(world);
  await world.clock.advance(9_000);
  assert.equal(world.node('n1').status?.state, NodeState.READY);
  world.dispatcher.reportGossip('n1', true, 'n2');
  await world.clock.advance(1);
  assert.equal(world.node('n1').status?.state, NodeState.DOWN);
});

test('the gossip of the leader itself is heard, also what it said before', async () => {
  const world = await harness([node('n1'), node('n2')]);
  world.gossip.alive = { n1: false, n2: true };
  await world.dispatcher.start();
  await register(world, 'n1');
  await register(world, 'n2');
  await world.clock.advance(9_000);
  assert.equal(world.node('n1').status?.state, NodeState.DOWN);
  assert.equal(world.node('n2').status?.state, NodeState.READY);
  world.gossip.changed('n2', false);
  await world.clock.advance(1);
  assert.equal(world.node('n2').status?.state, NodeState.DOWN);
});

test('gossip that takes its word back restores the grace', async () => {
  const world = await harness([node('n1')]);
  await world.dispatcher.start();
  await register(world);
  world.dispatcher.reportGossip('n1', true, 'n2');
  world.dispatcher.reportGossip('n1', false, 'n2');
  await world.clock.advance(12_000);
  assert.equal(world.node('n1').status?.state, NodeState.READY);
});

test('a new leader does not know its nodes, and waits twice as long for them', async () => {
  const ready = { status: { state: NodeState.READY } };
  const world = await harness([node('n1', ready), node('n2', ready)]);
  await world.dispatcher.start();
  assert.equal(world.node('n1').status?.state, NodeState.UNKNOWN);
  assert.match(world.node('n1').status?.message ?? '', /leadership change/);
  await register(world, 'n2');
  assert.equal(world.node('n2').status?.state, NodeState.READY);
  await world.clock.advance(26_000);
  assert.equal(world.node('n1').status?.state, NodeState.UNKNOWN);
  await world.clock.advance(8_000);
  assert.equal(world.node('n1').status?.state, NodeState.DOWN);
});

test('the tasks of a node that is down for a day are given up, counted over leaders', async () => {
  const since = new Date(1_000_000 - 23 * 3_600_000);
  const world = await harness([node('n1', { status: { state: NodeState.DOWN, since } })]);
  await world.put({ tasks: [task('t1', 'n1', { status: { state: TaskState.RUNNING } })] });
  await world.dispatcher.start();
  await world.clock.advance(59 * 60_000);
  assert.equal(world.task('t1').status?.state, TaskState.RUNNING);
  await world.clock.advance(2 * 60_000);
  assert.equal(world.task('t1').status?.state, TaskState.ORPHANED);
});

test('a node that leaves is down at once', async () => {
  const world = await harness([node('n1')]);
  await world.dispatcher.start();
  const session = await register(world);
  await world.dispatcher.leave(caller, session.last.sessionId);
  assert.equal(world.node('n1').status?.state, NodeState.DOWN);
});

test('a node that is removed is disconnected', async () => {
  const world = await harness([node('n1')]);
  await world.dispatcher.start();
  const session = await register(world);
  await world.store.update((tx) => tx.remove('node', 'n1'));
  await settle();
  assert.match(String(session.error), /was removed from the cluster/);
});

test('sessions hear of managers, peers, keys and their own node, and of nothing else', async () => {
  const world = await harness([node('n1'), node('n2')]);
  await world.dispatcher.start();
  const session = await register(world);
  await world.clock.advance(100);
  assert.equal(session.messages.length, 1);

  world.members.list = [
    {
      raftId: 7,
      nodeId: 'n1',
      addr: 'm:2377',
      learner: false,
      leader: true,
      reachable: true,
      self: true,
    },
  ];
  world.members.changed();
  await world.clock.advance(100);
  assert.equal(session.messages.length, 2);
  assert.deepEqual(session.last.managers, [{ peer: { nodeId: 'n1', addr: 'm:2377' }, weight: 10 }]);

  await register(world, 'n2');
  await world.clock.advance(100);
  assert.equal(session.last.gossipPeers.length, 2);
  const { length } = session.messages;

  await world.store.update((tx) => {
    const other = tx.get('node', 'n2');
    assert.ok(other);
    tx.update('node', {
      ...other,
      attachments: [{ addresses: ['10.0.0.9/24'], aliases: [], driverAttachmentOpts: {} }],
    });
  });
  await world.clock.advance(100);
  assert.equal(session.messages.length, length, 'the attachments of others are not its business');
});
