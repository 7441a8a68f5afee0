import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Scheduler } from '../../../manager/scheduler/scheduler.ts';
import type { Task } from '../../../proto/gen/swarm/objects.ts';
import { NodeSpec_Availability } from '../../../proto/gen/swarm/specs.ts';
import { NodeState, TaskState } from '../../../proto/gen/swarm/types.ts';
import { localStore } from '../../support/local-store.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { World } from '../allocator/world.ts';
import { node, waiting, waitingMany } from './objects.ts';

const started: Scheduler[] = [];
afterEach(async () => {
  for (const scheduler of started.splice(0)) await scheduler.stop();
});

async function world(...nodeIds: string[]) {
  const clock = new VirtualClock();
  const { store, proposer } = localStore(clock);
  await store.batch(nodeIds, (tx, id) => tx.create('node', node(id)));
  const start = async () => {
    const scheduler = new Scheduler({ store, clock });
    started.push(scheduler);
    await scheduler.start();
    return scheduler;
  };
  const create = (tasks: Task[]) => store.batch(tasks, (tx, task) => tx.create('task', task));
  const get = (id: string) => store.view((tx) => tx.get('task', id)) as Task;
  const onNode = (nodeId: string) => store.view((tx) => tx.find('task', { nodeId }).length);
  const change = (id: string, fields: Partial<Task>) =>
    store.update((tx) => tx.update('task', { ...(tx.get('task', id) as Task), ...fields }));
  const settle = () => clock.advance(100);
  return { clock, store, proposer, start, create, get, onNode, change, settle };
}

test('waiting tasks are assigned at once, in one transaction', async () => {
  const w = await world('a', 'b', 'c');
  await w.start();
  const before = w.proposer.log.length;
  await w.create(waitingMany(30));
  await w.clock.advance(0);
  assert.equal(w.proposer.log.length, before + 2);
  for (const id of ['a', 'b', 'c']) assert.equal(w.onNode(id), 10);
  const { status } = w.get('t0');
  assert.equal(status?.state, TaskState.ASSIGNED);
  assert.equal(status?.message, 'scheduler assigned task to node');
});

test('a task that found no place says why, and is placed when there is one', async () => {
  const w = await world();
  await w.store.update((tx) =>
    tx.create('node', node('a', { spec: { availability: NodeSpec_Availability.DRAIN } })),
  );
  await w.start();
  await w.create([waiting('t')]);
  await w.settle();
  assert.equal(w.get('t').status?.err, 'no suitable node (1 node not available for new tasks)');
  assert.equal(w.get('t').rejections.length, 1);
  const written = w.proposer.log.length;
  await w.settle();
  assert.equal(w.proposer.log.length, written, 'the same reason is not written again');

  await w.store.update((tx) =>
    tx.update('node', { ...node('a'), meta: tx.get('node', 'a')?.meta }),
  );
  await w.settle();
  const { status, nodeId, rejections } = w.get('t');
  assert.deepEqual([nodeId, status?.err, rejections], ['a', '', []]);
});

test('room that a task leaves is used', async () => {
  const w = await world();
  const resources = { memoryBytes: 10 };
  await w.store.update((tx) => tx.create('node', node('a', { description: { resources } })));
  const reserving = { spec: { resources: { reservations: { memoryBytes: 10 } } } };
  await w.start();
  await w.create([waiting('first', reserving)]);
  await w.settle();
  await w.create([waiting('second', reserving)]);
  await w.settle();
  assert.match(w.get('second').status?.err ?? '', /insufficient resources on 1 node/);
  await w.change('first', { desiredState: TaskState.SHUTDOWN });
  await w.settle();
  assert.equal(w.get('second').nodeId, 'a');
});

test('tasks of a global service are confirmed on their node', async () => {
  const w = await world('a', 'b');
  await w.start();
  await w.create([waiting('t', { nodeId: 'b' }), waiting('lost', { nodeId: 'gone' })]);
  await w.settle();
  assert.equal(w.get('t').status?.message, 'scheduler confirmed task can run on preassigned node');
  assert.equal(w.get('lost').status?.err, 'no suitable node');
  await w.store.update((tx) => tx.create('node', node('gone')));
  await w.settle();
  assert.equal(w.get('lost').status?.state, TaskState.ASSIGNED);
});

test('a decision that the store has overtaken is dropped', async () => {
  const w = await world('a', 'b');
  await w.start();
  w.proposer.hold();
  const outcomes = [
    w.create([waiting('t'), waiting('u')]),
    w.change('t', { desiredState: TaskState.REMOVE }),
    w.store.update((tx) => {
      const status = { state: NodeState.DOWN, message: '', addr: '' };
      tx.update('node', { ...tx.get('node', 'a')!, status });
    }),
  ];
  w.proposer.release(1);
  await w.settle();
  w.proposer.release();
  await Promise.all(outcomes);
  await w.settle();
  assert.equal(w.get('t').status?.state, TaskState.PENDING);
  assert.equal(w.get('u').nodeId, 'b');
  await w.create(waitingMany(2, {}, 'x'));
  await w.settle();
  assert.equal(w.onNode('b'), 3);
});

test('a task that nobody wants any more is shut down before it starts', async () => {
  const w = await world();
  await w.start();
  await w.create([waiting('t')]);
  await w.settle();
  await w.change('t', { desiredState: TaskState.SHUTDOWN });
  await w.settle();
  assert.equal(w.get('t').status?.state, TaskState.SHUTDOWN);
});

test('the node is attached to the networks of the task in the same transaction', async () => {
  const w = await world('a');
  const { store } = w;
  await new World(store).network('net');
  await w.start();
  const network = store.view((tx) => tx.get('network', 'net'));
  await w.create([waiting('t', { networks: [{ network, addresses: ['10.0.0.9/24'] }] as never })]);
  await w.settle();
  const assignment = w.proposer.log.at(-1)!.index;
  const attached = store.view((tx) => tx.get('node', 'a'))!;
  assert.equal(w.get('t').meta?.version?.index, assignment);
  assert.equal(attached.meta?.version?.index, assignment);
  assert.deepEqual(attached.attachments[0]?.addresses, ['10.0.0.2/24']);
});

test('a new leader goes on, and remembers where a service failed', async () => {
  const w = await world('a', 'b');
  const first = await w.start();
  const failed = (id: string) =>
    waiting(id, {
      nodeId: 'a',
      status: { state: TaskState.FAILED, timestamp: new Date(w.clock.now()) },
    });
  await w.create([1, 2, 3, 4, 5].map((n) => failed(`f${n}`)));
  await w.settle();
  await first.stop();
  await w.create(waitingMany(2));
  await w.start();
  await w.settle();
  assert.deepEqual([w.get('t0').nodeId, w.get('t1').nodeId], ['b', 'b']);
});

test('a loss of leadership in the middle leaves nothing half done', async () => {
  const w = await world('a', 'b');
  await w.start();
  await w.create(waitingMany(3));
  w.proposer.hold();
  const lost = w.create(waitingMany(1, {}, 'x'));
  await w.settle();
  w.proposer.lose();
  await assert.rejects(lost, { code: 'SWM_UNAVAILABLE' });
  await started.pop()!.stop();
  w.proposer.lead();
  w.proposer.release();
  await w.start();
  await w.create(waitingMany(4, {}, 'y'));
  await w.settle();
  assert.ok(Math.abs(w.onNode('a') - w.onNode('b')) <= 1);
  assert.equal(w.onNode(''), 0);
});

test('what could not be written is scheduled again', async () => {
  const w = await world('a');
  await w.start();
  await w.settle();
  // The task is written, what the scheduler decides is not.
  w.proposer.failAfter(1);
  await w.create([waiting('t')]);
  await w.clock.advance(0);
  assert.equal(w.get('t').nodeId, '');
  await w.clock.advance(1_000);
  assert.equal(w.get('t').nodeId, 'a');
  assert.equal(w.onNode('a'), 1);
});
