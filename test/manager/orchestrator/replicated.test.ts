import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeSpec_Availability as Availability } from '../../../proto/gen/swarm/specs.ts';
import { NodeState, TaskState } from '../../../proto/gen/swarm/types.ts';
import { ClusterSim } from './cluster-sim.ts';
import { replicated } from './specs.ts';

const NODES = ['n1', 'n2', 'n3'];

function slots(sim: ClusterSim): number[] {
  return sim
    .running('s')
    .map(({ slot }) => slot)
    .sort((a, b) => a - b);
}

function perNode(sim: ClusterSim): number[] {
  return NODES.map((id) => sim.running('s').filter(({ nodeId }) => nodeId === id).length);
}

function scale(sim: ClusterSim, replicas: number): Promise<void> {
  return sim.updateService('s', (spec) => ({
    ...spec,
    mode: { $case: 'replicated', replicated: { replicas } },
  }));
}

test('the tasks of a new service are made in one transaction, at once', async () => {
  const sim = await ClusterSim.start(NODES);
  const start = sim.clock.now();
  await sim.create('s', replicated(10));
  assert.equal(sim.tasks('s').length, 10);
  assert.equal(sim.creatingCommits, 1);
  assert.equal(sim.clock.now(), start, 'no time has passed');
  await sim.until(() => sim.running('s').length === 10);
  assert.deepEqual(slots(sim), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.deepEqual(sim.service('s').updateStatus, undefined);
  await sim.stop();
});

test('scaling up fills the lowest free slots, scaling down keeps the spread', async () => {
  const sim = await ClusterSim.start(NODES);
  await sim.create('s', replicated(3));
  await sim.until(() => sim.running('s').length === 3);
  await scale(sim, 9);
  await sim.until(() => sim.running('s').length === 9);
  const [before] = [new Set(sim.running('s').map(({ id }) => id))];
  await scale(sim, 6);
  await sim.until(() => sim.tasks('s').length === 6);
  assert.deepEqual(perNode(sim), [2, 2, 2]);
  assert.ok(
    sim.running('s').every(({ id }) => before.has(id)),
    'those that stay are not touched',
  );
  assert.equal(sim.service('s').updateStatus, undefined, 'scaling is no update');
  await scale(sim, 0);
  await sim.until(() => sim.tasks('s').length === 0);
  await scale(sim, 2);
  await sim.until(() => sim.running('s').length === 2);
  assert.deepEqual(slots(sim), [1, 2]);
  await sim.stop();
});

test('scaling down takes those first that do not run', async () => {
  const sim = await ClusterSim.start(NODES);
  await sim.create('s', replicated(4));
  await sim.until(() => sim.running('s').length === 4);
  await sim.setNode('n1', NodeState.UNKNOWN, Availability.PAUSE);
  await sim.setNode('n2', NodeState.UNKNOWN, Availability.PAUSE);
  await sim.setNode('n3', NodeState.UNKNOWN, Availability.PAUSE);
  await scale(sim, 8);
  await sim.run(1_000);
  assert.equal(sim.running('s').length, 4);
  await scale(sim, 4);
  await sim.run(1_000);
  assert.deepEqual(slots(sim), [1, 2, 3, 4]);
  await sim.stop();
});

test('a task that fails is replaced in its slot after the delay', async () => {
  const sim = await ClusterSim.start(NODES);
  sim.behaviours['flaky'] = { end: { state: TaskState.FAILED, afterMs: 1_000 } };
  const container = { $case: 'container' as const, container: { image: 'flaky' } };
  await sim.create(
    's',
    replicated(1, {}, { runtime: container, restart: { condition: 2, delay: { seconds: 3 } } }),
  );
  await sim.until(() => sim.running('s').length === 1);
  await sim.until(() => sim.running('s').length === 0);
  const failedAt = sim.clock.now();
  const waiting = sim.tasks('s').find(({ desiredState }) => desiredState === TaskState.READY);
  assert.equal(waiting?.slot, 1);
  await sim.until(() => sim.running('s').length === 1);
  assert.ok(sim.clock.now() - failedAt >= 3_000);
  assert.ok(sim.clock.now() - failedAt < 3_500);
  await sim.stop();
});

test('a new leader honours the rest of the delay', async () => {
  const sim = await ClusterSim.start(NODES);
  sim.behaviours['flaky'] = { end: { state: TaskState.FAILED, afterMs: 1_000 } };
  const container = { $case: 'container' as const, container: { image: 'flaky' } };
  await sim.create(
    's',
    replicated(1, {}, { runtime: container, restart: { condition: 2, delay: { seconds: 4 } } }),
  );
  await sim.until(() => sim.running('s').length === 1);
  await sim.until(() => sim.running('s').length === 0);
  const failedAt = sim.clock.now();
  await sim.run(2_000);
  await sim.newLeader();
  await sim.until(() => sim.running('s').length === 1);
  const took = sim.clock.now() - failedAt;
  assert.ok(took >= 3_900 && took < 4_600, `${took}`);
  await sim.stop();
});

const conditions = [
  { name: 'none', condition: 0, ends: TaskState.FAILED, restarts: 0 },
  { name: 'on-failure, after a failure', condition: 1, ends: TaskState.FAILED, restarts: 3 },
  { name: 'on-failure, after success', condition: 1, ends: TaskState.COMPLETE, restarts: 0 },
  { name: 'any, after success', condition: 2, ends: TaskState.COMPLETE, restarts: 3 },
];

for (const { name, condition, ends, restarts } of conditions) {
  test(`restart condition ${name}: ${restarts} attempts of at most 3`, async () => {
    const sim = await ClusterSim.start(NODES);
    sim.behaviours['ends'] = { end: { state: ends, afterMs: 500 } };
    const runtime = { $case: 'container' as const, container: { image: 'ends' } };
    const restart = { condition, delay: { seconds: 1 }, maxAttempts: 3 };
    await sim.create('s', replicated(1, {}, { runtime, restart }));
    await sim.run(60_000);
    assert.equal(sim.tasks('s').length, restarts + 1);
    assert.equal(sim.running('s').length, 0);
    await sim.newLeader();
    await sim.run(60_000);
    assert.equal(sim.tasks('s').length, restarts + 1, 'the attempts are not forgotten');
    await sim.stop();
  });
}

test('the window lets a task that seldom fails go on for ever', async () => {
  const sim = await ClusterSim.start(NODES);
  sim.behaviours['seldom'] = { end: { state: TaskState.FAILED, afterMs: 30_000 } };
  const runtime = { $case: 'container' as const, container: { image: 'seldom' } };
  const restart = { condition: 2, delay: { seconds: 1 }, maxAttempts: 1, window: { seconds: 10 } };
  await sim.create('s', replicated(1, {}, { runtime, restart }));
  await sim.run(200_000);
  assert.equal(
    sim.tasks('s').filter(({ desiredState }) => desiredState <= TaskState.RUNNING).length,
    1,
  );
  await sim.stop();
});

test('the history of a slot is bounded', async () => {
  const sim = await ClusterSim.start(NODES);
  sim.behaviours['flaky'] = { end: { state: TaskState.FAILED, afterMs: 500 } };
  const runtime = { $case: 'container' as const, container: { image: 'flaky' } };
  await sim.create(
    's',
    replicated(2, {}, { runtime, restart: { condition: 2, delay: { seconds: 1 } } }),
  );
  await sim.run(60_000);
  const inSlot = (slot: number) => sim.tasks('s').filter((task) => task.slot === slot).length;
  await sim.until(() => inSlot(1) === 5 && inSlot(2) === 5, 1_000);
  await sim.stop();
});

test('a history of nothing does not make a failing task restart without delay', async () => {
  const sim = await ClusterSim.start(NODES);
  await sim.store.update((tx) => {
    const [cluster] = tx.all('cluster');
    assert.ok(cluster?.spec);
    const spec = { ...cluster.spec, orchestration: { taskHistoryRetentionLimit: 0 } };
    tx.update('cluster', { ...cluster, spec });
  });
  sim.behaviours['flaky'] = { end: { state: TaskState.FAILED, afterMs: 500 } };
  const runtime = { $case: 'container' as const, container: { image: 'flaky' } };
  await sim.create(
    's',
    replicated(1, {}, { runtime, restart: { condition: 2, delay: { seconds: 5 } } }),
  );
  await sim.run(56_000);
  const starts = sim.transitions.filter(({ to }) => to === TaskState.RUNNING).length;
  assert.ok(starts >= 9 && starts <= 11, `${starts} starts in 56 s`);
  assert.ok(sim.tasks('s').length <= 2);
  await sim.stop();
});

test('the tasks of a node that is down move at once', async () => {
  const sim = await ClusterSim.start(NODES);
  await sim.create('s', replicated(6));
  await sim.until(() => sim.running('s').length === 6);
  await sim.setNode('n1', NodeState.DOWN);
  const took = await sim.until(() => sim.running('s').length === 6);
  assert.ok(took <= 500, `${took} ms`);
  assert.deepEqual(perNode(sim), [0, 3, 3]);
  await sim.stop();
});

test('a drained node loses its tasks one by one slot, stopped before they start elsewhere', async () => {
  const sim = await ClusterSim.start(NODES);
  sim.behaviours['slow'] = { stopMs: 3_000 };
  const runtime = { $case: 'container' as const, container: { image: 'slow' } };
  await sim.create('s', replicated(3, {}, { runtime }));
  await sim.until(() => sim.running('s').length === 3);
  await sim.setNode('n1', NodeState.READY, Availability.DRAIN);
  await sim.run(2_500);
  assert.equal(sim.running('s').length, 2);
  await sim.until(() => sim.running('s').length === 3);
  assert.deepEqual(perNode(sim).slice(0, 1), [0]);
  await sim.stop();
});

test('with start-first a drained node is left without a gap', async () => {
  const sim = await ClusterSim.start(NODES);
  await sim.create('s', replicated(3, { update: { order: 1 } }));
  await sim.until(() => sim.running('s').length === 3);
  await sim.setNode('n1', NodeState.READY, Availability.DRAIN);
  for (let i = 0; i < 40; i++) {
    assert.ok(sim.running('s').length >= 3);
    await sim.run(25);
  }
  assert.deepEqual(perNode(sim).slice(0, 1), [0]);
  assert.equal(sim.running('s').length, 3);
  await sim.stop();
});

test('a node that is unknown, disconnected or paused keeps its tasks', async () => {
  const sim = await ClusterSim.start(NODES);
  await sim.create('s', replicated(3));
  await sim.until(() => sim.running('s').length === 3);
  const before = sim.tasks('s').length;
  await sim.setNode('n1', NodeState.UNKNOWN);
  await sim.setNode('n2', NodeState.DISCONNECTED);
  await sim.setNode('n3', NodeState.READY, Availability.PAUSE);
  await sim.run(10_000);
  assert.equal(sim.tasks('s').length, before);
  assert.equal(sim.running('s').length, 3);
  await sim.stop();
});

test('a deleted service takes its tasks with it, also when the leader changed meanwhile', async () => {
  const sim = await ClusterSim.start(NODES);
  await sim.create('s', replicated(5));
  await sim.until(() => sim.running('s').length === 5);
  await sim.stop();
  await sim.remove('s');
  await sim.newLeader();
  await sim.until(() => sim.tasks('s').length === 0);
  assert.ok(sim.transitions.filter(({ to }) => to === TaskState.SHUTDOWN).length === 5, 'gently');
  await sim.stop();
});
