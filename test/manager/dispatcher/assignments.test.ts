import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import {
  AssignmentChange_AssignmentAction as Action,
  type AssignmentsMessage,
  AssignmentsMessage_Type as Type,
} from '../../../proto/gen/swarm/dispatcher.ts';
import { Secret, type Task } from '../../../proto/gen/swarm/objects.ts';
import { TaskState, TaskStatus } from '../../../proto/gen/swarm/types.ts';
import { settle } from '../../support/virtual-clock.ts';
import { type Harness, harness, Reader } from './harness.ts';
import { node, task } from './objects.ts';

const caller = { nodeId: 'n1', addr: '' };
let world: Harness;
let sessionId: string;

beforeEach(async () => {
  world = await harness([node('n1'), node('n2')]);
  await world.dispatcher.start();
  const request = { description: undefined, sessionId: '' };
  const session = new Reader((signal) => world.dispatcher.session(caller, request, signal));
  await settle();
  sessionId = session.last.sessionId;
});

function open(): Reader<AssignmentsMessage> {
  return new Reader((signal) => world.dispatcher.assignments(caller, sessionId, signal));
}

/** `+task t1`, `-secret s1` …, sorted. */
function changes(message: AssignmentsMessage): string[] {
  return message.changes
    .map(({ action, assignment }) => {
      const item = assignment?.item;
      const id =
        item?.$case === 'task' ? item.task.id : item?.$case === 'secret' ? item.secret.id : '';
      return `${action === Action.UPDATE ? '+' : '-'}${item?.$case} ${id}`;
    })
    .sort();
}

function change(id: string, fields: Partial<Task>): Promise<void> {
  return world.store.update((tx) => {
    const old = tx.get('task', id);
    assert.ok(old);
    tx.update('task', { ...old, ...fields });
  });
}

test('first all tasks of the node from ASSIGNED on, then the changes in sequence', async () => {
  await world.put({
    tasks: [
      task('t1', 'n1'),
      task('t2', 'n2'),
      task('t3', 'n1', { status: { state: TaskState.PENDING } }),
      task('t4', 'n1', { status: { state: TaskState.FAILED } }),
    ],
  });
  const stream = open();
  await settle();
  assert.equal(stream.last.type, Type.COMPLETE);
  assert.deepEqual(changes(stream.last), ['+task t1', '+task t4']);

  await change('t3', { status: TaskStatus.fromPartial({ state: TaskState.ASSIGNED }) });
  await world.clock.advance(20);
  assert.equal(stream.last.type, Type.INCREMENTAL);
  assert.deepEqual(changes(stream.last), ['+task t3']);
  assert.equal(stream.last.appliesTo, stream.messages[0]?.resultsIn);

  await world.store.update((tx) => tx.remove('task', 't1'));
  await world.clock.advance(20);
  assert.deepEqual(changes(stream.last), ['-task t1']);
  assert.equal(stream.last.appliesTo, stream.messages[1]?.resultsIn);
});

test('a trickle of changes does not delay the first of them', async () => {
  const stream = open();
  await settle();
  await world.put({ tasks: [task('t0', 'n1')] });
  const start = world.clock.now();
  for (let i = 1; stream.messages.length < 2; i++) {
    await world.clock.advance(4);
    await world.put({ tasks: [task(`t${i}`, 'n1')] });
    await settle();
  }
  assert.ok(world.clock.now() - start <= 20, `${world.clock.now() - start} ms`);
});

test('what the node reported itself is not sent back to it', async () => {
  await world.put({ tasks: [task('t1', 'n1')] });
  const stream = open();
  await settle();
  await change('t1', { status: TaskStatus.fromPartial({ state: TaskState.RUNNING }) });
  await world.clock.advance(50);
  assert.equal(stream.messages.length, 1);
  await change('t1', { desiredState: TaskState.SHUTDOWN });
  await world.clock.advance(50);
  assert.deepEqual(changes(stream.last), ['+task t1']);
});

test('a secret goes with the first task that uses it and is taken back with the last', async () => {
  const using = (id: string) =>
    task(id, 'n1', {
      spec: {
        runtime: {
          $case: 'container',
          container: { image: 'x', secrets: [{ secretId: 's1' }, { secretId: 'lost' }] },
        },
      },
    });
  await world.store.update((tx) =>
    tx.create('secret', Secret.fromPartial({ id: 's1', spec: { annotations: { name: 's1' } } })),
  );
  await world.put({ tasks: [using('t1')] });
  const stream = open();
  await settle();
  assert.deepEqual(changes(stream.last), ['+secret s1', '+task t1']);

  await world.put({ tasks: [using('t2')] });
  await world.clock.advance(50);
  assert.deepEqual(changes(stream.last), ['+task t2']);

  await change('t1', { status: TaskStatus.fromPartial({ state: TaskState.FAILED }) });
  await world.clock.advance(50);
  assert.equal(stream.messages.length, 2);

  await world.store.update((tx) => tx.remove('task', 't2'));
  await world.clock.advance(50);
  assert.deepEqual(changes(stream.last), ['-secret s1', '-task t2']);
});

test('statuses reach the store together, and only forward', async () => {
  await world.put({ tasks: [task('t1', 'n1'), task('t2', 'n1')] });
  const update = (taskId: string, state: TaskState) => ({
    taskId,
    status: TaskStatus.fromPartial({ state, message: TaskState[state] ?? '' }),
  });
  const before = world.store.appliedIndex;
  const first = world.dispatcher.updateTaskStatus(caller, sessionId, [
    update('t1', TaskState.RUNNING),
    update('t2', TaskState.STARTING),
  ]);
  const second = world.dispatcher.updateTaskStatus(caller, sessionId, [
    update('t1', TaskState.STARTING),
    update('gone', TaskState.RUNNING),
  ]);
  await world.clock.advance(50);
  await Promise.all([first, second]);
  assert.equal(world.store.appliedIndex, before + 1);
  assert.equal(world.task('t1').status?.state, TaskState.RUNNING);
  assert.equal(world.task('t1').status?.appliedBy, 'leader');
  assert.equal(world.task('t2').status?.state, TaskState.STARTING);

  const late = world.dispatcher.updateTaskStatus(caller, sessionId, [
    update('t1', TaskState.PREPARING),
  ]);
  await world.clock.advance(50);
  await late;
  assert.equal(world.task('t1').status?.state, TaskState.RUNNING);
});

test('a node cannot report on the tasks of another', async () => {
  await world.put({ tasks: [task('t1', 'n2')] });
  const status = TaskStatus.fromPartial({ state: TaskState.FAILED });
  await assert.rejects(
    world.dispatcher.updateTaskStatus(caller, sessionId, [{ taskId: 't1', status }]),
    { code: 'SWM_PERMISSION_DENIED' },
  );
});

test('reports that were not written are refused when the dispatcher stops', async () => {
  await world.put({ tasks: [task('t1', 'n1')] });
  const status = TaskStatus.fromPartial({ state: TaskState.RUNNING });
  const report = world.dispatcher.updateTaskStatus(caller, sessionId, [{ taskId: 't1', status }]);
  await world.dispatcher.stop();
  await assert.rejects(report, /dispatcher is stopped/);
});
