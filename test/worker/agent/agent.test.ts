import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SwarmError } from '../../../common/errors.ts';
import type { Task } from '../../../proto/gen/swarm/objects.ts';
import { NodeDescription, NodeState, TaskState } from '../../../proto/gen/swarm/types.ts';
import { member } from '../../manager/control/fixture.ts';
import { task } from '../../manager/dispatcher/objects.ts';
import { AgentWorld } from './harness.ts';

async function change(world: AgentWorld, id: string, fields: Partial<Task>): Promise<void> {
  await world.manager.store.update((tx) => {
    tx.update('task', { ...world.manager.task(id), ...fields });
  });
}

function withContainer(container: object) {
  return {
    spec: {
      runtime: { $case: 'container' as const, container: { image: 'busybox', ...container } },
    },
  };
}

test('an assigned task runs within 100 ms, is in its service, and is reported', async () => {
  const world = await AgentWorld.start();
  assert.equal(world.manager.node('n1').status?.state, NodeState.READY);
  await world.manager.put({ tasks: [task('t1', 'n1')] });
  const took = await world.reaches('t1', TaskState.RUNNING);
  assert.ok(took <= 100, `${took} ms`);
  const { status } = world.manager.task('t1');
  assert.equal(status?.container?.containerId, world.engine.ofTask('t1')?.id);
  assert.equal(status?.container?.pid, 4001);
  assert.equal(status?.message, 'started');
  assert.deepEqual(world.netCalls, ['enable t1']);
  assert.equal(world.engine.created[0]?.name, 'web.1.t1');
  await world.agent.stop({ leave: false });
});

test('a task that is not wanted yet waits in READY', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({ tasks: [task('t1', 'n1', { desiredState: TaskState.READY })] });
  await world.reaches('t1', TaskState.READY);
  await world.run(1_000);
  assert.equal(world.engine.ofTask('t1')?.state.status, 'created');
  await change(world, 't1', { desiredState: TaskState.RUNNING });
  await world.reaches('t1', TaskState.RUNNING);
  await world.agent.stop({ leave: false });
});

test('a task that ends is complete or failed, by its exit code', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({ tasks: [task('t1', 'n1'), task('t2', 'n1')] });
  await world.reaches('t1', TaskState.RUNNING);
  await world.reaches('t2', TaskState.RUNNING);
  world.engine.exit('t1', 0);
  world.engine.exit('t2', 3);
  await world.reaches('t1', TaskState.COMPLETE);
  await world.reaches('t2', TaskState.FAILED);
  const { status } = world.manager.task('t2');
  assert.equal(status?.err, 'task: non-zero exit (3)');
  assert.equal(status?.container?.exitCode, 3);
  assert.equal(world.manager.task('t1').status?.message, 'finished');
  await world.agent.stop({ leave: false });
});

test('the service is drained before the stop signal is sent', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({
    tasks: [task('t1', 'n1', withContainer({ stopGracePeriod: { seconds: 7 } }))],
  });
  await world.reaches('t1', TaskState.RUNNING);
  let drained = () => {};
  world.drain = () => new Promise((resolve) => (drained = resolve));
  await change(world, 't1', { desiredState: TaskState.SHUTDOWN });
  await world.run(500);
  assert.deepEqual(world.netCalls, ['enable t1', 'disable t1']);
  assert.deepEqual(world.engine.calls, []);
  drained();
  await world.reaches('t1', TaskState.SHUTDOWN);
  assert.deepEqual(world.engine.calls, ['stop t1 7']);
  assert.ok(world.engine.ofTask('t1'), 'the container stays, for its logs, until the task goes');
  await world.manager.store.update((tx) => tx.remove('task', 't1'));
  await world.run(100);
  assert.equal(world.engine.ofTask('t1'), undefined);
  assert.equal(world.db.tasks.size, 0);
  await world.agent.stop({ leave: false });
});

test('a running task that is removed is stopped gently first', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({ tasks: [task('t1', 'n1')] });
  await world.reaches('t1', TaskState.RUNNING);
  await world.manager.store.update((tx) => tx.remove('task', 't1'));
  await world.run(100);
  assert.deepEqual(world.engine.calls, ['stop t1 10', 'remove t1']);
  await world.agent.stop({ leave: false });
});

test('with a health check the task runs, and serves, once it is healthy', async () => {
  const world = await AgentWorld.start();
  const healthcheck = { test: ['CMD', 'true'] };
  await world.manager.put({ tasks: [task('t1', 'n1', withContainer({ healthcheck }))] });
  await world.reaches('t1', TaskState.STARTING);
  await world.run(5_000);
  assert.equal(world.manager.task('t1').status?.state, TaskState.STARTING);
  assert.deepEqual(world.netCalls, []);
  world.engine.health('t1', 'healthy');
  await world.reaches('t1', TaskState.RUNNING);
  assert.deepEqual(world.netCalls, ['enable t1']);
  world.engine.health('t1', 'unhealthy');
  await world.reaches('t1', TaskState.FAILED);
  assert.equal(world.manager.task('t1').status?.err, 'unhealthy container');
  assert.deepEqual(world.engine.calls, ['stop t1 10']);
  await world.agent.stop({ leave: false });
});

test('a task that turns unhealthy while it starts has failed', async () => {
  const world = await AgentWorld.start();
  const healthcheck = { test: ['CMD', 'false'] };
  await world.manager.put({ tasks: [task('t1', 'n1', withContainer({ healthcheck }))] });
  await world.reaches('t1', TaskState.STARTING);
  world.engine.health('t1', 'unhealthy');
  await world.reaches('t1', TaskState.FAILED);
  await world.agent.stop({ leave: false });
});

test('an image that cannot be had rejects the task, one that is here does not', async () => {
  const world = await AgentWorld.start();
  const pullError = new SwarmError('SWM_UNAVAILABLE', 'registry: connection refused');
  world.engine.images = { here: { local: true, pullError }, gone: { pullError } };
  await world.manager.put({
    tasks: [
      task('t1', 'n1', withContainer({ image: 'here' })),
      task('t2', 'n1', withContainer({ image: 'gone' })),
    ],
  });
  await world.reaches('t1', TaskState.RUNNING);
  await world.reaches('t2', TaskState.REJECTED);
  assert.equal(world.manager.task('t2').status?.err, 'registry: connection refused');
  await world.agent.stop({ leave: false });
});

test('a runtime that is away is tried again', async () => {
  const world = await AgentWorld.start();
  world.engine.startError = new SwarmError('SWM_UNAVAILABLE', 'containerd is not there');
  await world.manager.put({ tasks: [task('t1', 'n1')] });
  await world.run(5_000);
  assert.equal(world.manager.task('t1').status?.state, TaskState.STARTING);
  world.engine.startError = undefined;
  await world.reaches('t1', TaskState.RUNNING, 10_000);
  await world.agent.stop({ leave: false });
});

test('running tasks survive a restart of the daemon and are taken over', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({ tasks: [task('t1', 'n1'), task('t2', 'n1')] });
  await world.reaches('t2', TaskState.RUNNING);
  const before = world.engine.ofTask('t1')?.id;
  await world.restartAgent();
  world.engine.exit('t2', 1);
  await world.reaches('t2', TaskState.FAILED);
  assert.equal(world.engine.ofTask('t1')?.id, before);
  assert.equal(world.engine.ofTask('t1')?.state.status, 'running');
  assert.equal(world.engine.created.length, 2);
  await world.agent.stop({ leave: false });
});

test('a container that ended while the daemon was away is reported', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({ tasks: [task('t1', 'n1')] });
  await world.reaches('t1', TaskState.RUNNING);
  await world.agent.stop({ leave: false });
  world.engine.exit('t1', 9);
  await world.restartAgent();
  await world.reaches('t1', TaskState.FAILED);
  await world.agent.stop({ leave: false });
});

test('tasks go on without managers, and what happened is told afterwards', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({ tasks: [task('t1', 'n1'), task('t2', 'n1')] });
  await world.reaches('t2', TaskState.RUNNING);
  world.cutLine();
  await world.run(60_000);
  assert.equal(world.manager.node('n1').status?.state, NodeState.DOWN);
  assert.equal(world.engine.ofTask('t1')?.state.status, 'running');
  world.engine.exit('t2', 1);
  await world.restartAgent();
  await world.run(1_000);
  assert.equal(world.engine.ofTask('t1')?.state.status, 'running');
  world.mendLine();
  await world.reaches('t2', TaskState.FAILED, 20_000);
  assert.equal(world.manager.node('n1').status?.state, NodeState.READY);
  await world.agent.stop({ leave: false });
});

test('the agent finds a new leader, and tells it what it knows', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({ tasks: [task('t1', 'n1')] });
  await world.reaches('t1', TaskState.RUNNING);
  await world.newLeader();
  const took = await world.manager.clock.until(
    () => world.manager.node('n1').status?.state === NodeState.READY,
    2_000,
    10,
  );
  assert.ok(took < 1_000, `${took} ms`);
  world.engine.exit('t1', 1);
  await world.reaches('t1', TaskState.FAILED);
  await world.agent.stop({ leave: false });
});

test('containers of tasks that are gone are swept away', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({ tasks: [task('t1', 'n1')] });
  await world.reaches('t1', TaskState.RUNNING);
  await world.agent.stop({ leave: false });
  await world.manager.store.update((tx) => tx.remove('task', 't1'));
  await world.db.remove('t1');
  await world.restartAgent();
  await world.run(1_000);
  assert.equal(world.engine.containers.size, 0);
  await world.agent.stop({ leave: false });
});

test('the address of the manager that serves is kept, though managers advertise others', async () => {
  const world = await AgentWorld.start();
  const { members } = world.manager;
  members.list = [{ ...member(1, 'm1'), addr: '10.0.0.1:2377' }];
  members.changed();
  await world.run(1_000);
  assert.deepEqual(world.peers.map(({ addr }) => addr).sort(), ['10.0.0.1:2377', 'manager:2377']);
  await world.agent.stop({ leave: false });
});

test('a node that leaves without a session says so to whom it can', async () => {
  const world = await AgentWorld.start();
  world.cutLine();
  await world.run(0);
  world.mendLine();
  await world.agent.stop({ leave: true });
  const { state, message } = world.manager.node('n1').status ?? {};
  assert.deepEqual([state, message], [NodeState.DOWN, 'node left']);
});

test('a node that leaves takes its tasks down and is down at once', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({ tasks: [task('t1', 'n1')] });
  await world.reaches('t1', TaskState.RUNNING);
  await world.agent.stop({ leave: true });
  assert.equal(world.manager.node('n1').status?.state, NodeState.DOWN);
  assert.equal(world.engine.containers.size, 0);
  assert.equal(world.db.tasks.size, 0);
});

test('a new description is told with a new session', async () => {
  const world = await AgentWorld.start();
  world.agent.describe(NodeDescription.fromPartial({ hostname: 'renamed' }));
  await world.run(100);
  assert.equal(world.manager.node('n1').description?.hostname, 'renamed');
  await world.agent.stop({ leave: false });
});

test('a task without a runtime is rejected', async () => {
  const world = await AgentWorld.start();
  await world.manager.put({ tasks: [task('t1', 'n1', { spec: {} })] });
  await world.reaches('t1', TaskState.REJECTED);
  assert.equal(world.manager.task('t1').status?.message, 'resolving controller failed');
  await world.agent.stop({ leave: false });
});
