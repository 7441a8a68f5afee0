import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Commit, StoreChange } from '../../../manager/index.ts';
import { Node, Service } from '../../../proto/gen/swarm/objects.ts';
import { NodeRole, NodeState, UpdateStatus_UpdateState } from '../../../proto/gen/swarm/types.ts';
import { clusterEvents } from '../../../swarmd/api/events/cluster-events.ts';
import { EventHub } from '../../../swarmd/api/events/event-hub.ts';
import { EventSources } from '../../../swarmd/api/events/event-sources.ts';
import { queueOf } from '../../../swarmd/api/queue.ts';
import { networkSpec, serviceSpec } from '../../manager/control/fixture.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { apiBench } from './bench.ts';

const NOW = 5_000;
const commit = (...changes: StoreChange[]): Commit => ({ index: 1, changes, restored: false });

function service(replicas: number, image: string, partial: object = {}): Service {
  const spec = serviceSpec('web', {
    mode: { $case: 'replicated', replicated: { replicas } },
    task: { runtime: { $case: 'container', container: { image } } },
  });
  const meta = { createdAt: new Date(1_000), updatedAt: new Date(2_000) };
  return Service.fromPartial({ id: 's', spec, meta, ...partial });
}

const serviceUpdate = (old: Service, object: Service) =>
  clusterEvents(commit({ type: 'update', kind: 'service', old, object }), NOW);

test('creation and removal name the object', () => {
  const object = service(1, 'a');
  const events = clusterEvents(
    commit(
      { type: 'create', kind: 'service', object },
      { type: 'remove', kind: 'service', object },
    ),
    NOW,
  );
  assert.deepEqual(
    events.map(({ action, timeMs, attributes }) => [action, timeMs, attributes]),
    [
      ['create', 1_000, { name: 'web' }],
      ['remove', NOW, { name: 'web' }],
    ],
  );
  assert.equal(events[0]?.scope, 'swarm');
});

test('an updated service tells replicas, image and the state of the update', () => {
  const updateStatus = { state: UpdateStatus_UpdateState.UPDATING };
  const [event] = serviceUpdate(service(1, 'a'), service(2, 'b', { updateStatus }));
  assert.deepEqual(event?.attributes, {
    name: 'web',
    'replicas.old': '1',
    'replicas.new': '2',
    'image.old': 'a',
    'image.new': 'b',
    'updatestate.old': '',
    'updatestate.new': 'updating',
  });
});

test('bookkeeping is no event', () => {
  assert.deepEqual(serviceUpdate(service(1, 'a'), service(1, 'a', { pendingDelete: true })), []);
  const task = { id: 't' } as never;
  assert.deepEqual(clusterEvents(commit({ type: 'create', kind: 'task', object: task }), NOW), []);
});

test('a changed node tells what changed', () => {
  const node = (state: NodeState, leader: boolean) =>
    Node.fromPartial({
      id: 'n',
      spec: { annotations: {}, desiredRole: NodeRole.MANAGER },
      description: { hostname: 'host1' },
      status: { state },
      managerStatus: { leader },
    });
  const old = node(NodeState.READY, true);
  const object = node(NodeState.DOWN, false);
  const [event] = clusterEvents(commit({ type: 'update', kind: 'node', old, object }), NOW);
  assert.deepEqual(event?.attributes, {
    name: 'host1',
    'state.old': 'ready',
    'state.new': 'down',
    'leader.old': 'true',
    'leader.new': 'false',
  });
});

test('the hub forgets the oldest events', () => {
  const hub = new EventHub({ capacity: 2 });
  for (const [i, id] of ['a', 'b', 'c'].entries()) {
    hub.publish({
      type: 'volume',
      action: 'create',
      id,
      attributes: {},
      scope: 'local',
      timeMs: i,
    });
  }
  assert.deepEqual(
    hub.past(0, 9).map(({ id }) => id),
    ['b', 'c'],
  );
  assert.deepEqual(
    hub.past(2, 2).map(({ id }) => id),
    ['c'],
  );
});

test('the sources follow the manager as it comes and goes', async () => {
  const bench = await apiBench();
  const events = new EventHub();
  const sources = new EventSources({ node: bench.node, events, clock: new VirtualClock() });
  await sources.start();
  const names = () =>
    events.past(0, Number.MAX_SAFE_INTEGER).map((event) => event.attributes['name']);
  await bench.control.control.createNetwork(networkSpec('one'));
  bench.node.become({ role: 'worker' }, undefined);
  await bench.control.control.createNetwork(networkSpec('two'));
  bench.node.become({ role: 'manager' }, bench.manager);
  await bench.control.control.createNetwork(networkSpec('three'));
  await sources.stop();
  await bench.control.control.createNetwork(networkSpec('four'));
  assert.deepEqual(names(), ['one', 'three']);
});

test('a queue delivers in order, drops the oldest, and ends', async () => {
  const aborting = new AbortController();
  const queue = queueOf<number>(aborting.signal, 3);
  for (const item of [1, 2, 3, 4]) queue.push(item);
  queue.end();
  queue.push(5);
  const got: number[] = [];
  for await (const item of queue.items) got.push(item);
  assert.deepEqual(got, [2, 3, 4]);
  const endless = queueOf<number>(aborting.signal, 3);
  const first = endless.items[Symbol.asyncIterator]().next();
  aborting.abort();
  assert.equal((await first).done, true);
});
