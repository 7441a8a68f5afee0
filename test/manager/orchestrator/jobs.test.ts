import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeSpec_Availability as Availability } from '../../../proto/gen/swarm/specs.ts';
import { NodeState, TaskState } from '../../../proto/gen/swarm/types.ts';
import { ClusterSim } from './cluster-sim.ts';
import { replicated } from './specs.ts';

const NODES = ['n1', 'n2', 'n3'];
const once = { restart: { condition: 1, delay: { seconds: 1 } } };

function job(total: number, concurrent: number, task: object = once) {
  const mode = {
    $case: 'replicatedJob' as const,
    replicatedJob: { totalCompletions: total, maxConcurrent: concurrent },
  };
  return { ...replicated(0, {}, task), mode };
}

function globalJob(task: object = once) {
  return { ...replicated(0, {}, task), mode: { $case: 'globalJob' as const, globalJob: {} } };
}

async function start(end: TaskState = TaskState.COMPLETE): Promise<ClusterSim> {
  const sim = await ClusterSim.start(NODES);
  sim.behaviours['good'] = { end: { state: end, afterMs: 1_000 } };
  return sim;
}

function completed(sim: ClusterSim): number {
  return sim.tasks('s').filter(({ status }) => status?.state === TaskState.COMPLETE).length;
}

function underWay(sim: ClusterSim): number {
  const live = ({ status }: { status?: { state: TaskState } }) =>
    (status?.state ?? TaskState.NEW) <= TaskState.RUNNING;
  return sim.tasks('s').filter(live).length;
}

test('a job completes as often as it is to, some at a time, and no more', async () => {
  const sim = await start();
  await sim.create('s', job(7, 3));
  let most = 0;
  for (let i = 0; completed(sim) < 7; i++) {
    assert.ok(i < 1_000);
    most = Math.max(most, underWay(sim));
    await sim.run(20);
  }
  assert.equal(most, 3);
  await sim.run(60_000);
  assert.equal(completed(sim), 7);
  assert.equal(sim.tasks('s').length, 7);
  assert.deepEqual(
    sim
      .tasks('s')
      .map(({ slot }) => slot)
      .sort(),
    [0, 1, 2, 3, 4, 5, 6],
  );
  assert.ok(sim.tasks('s').every(({ desiredState }) => desiredState === TaskState.COMPLETE));
  await sim.newLeader();
  await sim.run(10_000);
  assert.equal(sim.tasks('s').length, 7);
  await sim.stop();
});

test('a job whose tasks fail tries again as its restart policy says, and then stands still', async () => {
  const sim = await start(TaskState.FAILED);
  const restart = { condition: 1, delay: { seconds: 1 }, maxAttempts: 2 };
  await sim.create('s', job(2, 1, { restart }));
  await sim.run(60_000);
  assert.equal(sim.tasks('s').length, 3);
  assert.ok(sim.tasks('s').every(({ slot }) => slot === 0));
  assert.equal(underWay(sim), 0);
  await sim.stop();
});

test('the tasks of a job move away from a node that is down', async () => {
  const sim = await start();
  sim.behaviours['good'] = { end: { state: TaskState.COMPLETE, afterMs: 20_000 } };
  await sim.create('s', job(3, 3));
  await sim.until(() => sim.tasks('s').every(({ status }) => status?.state === TaskState.RUNNING));
  await sim.setNode('n1', NodeState.DOWN);
  await sim.until(() => completed(sim) === 3);
  await sim.stop();
});

test('an update of a job is a new run', async () => {
  const sim = await start();
  await sim.create('s', job(2, 2));
  await sim.until(() => completed(sim) === 2);
  await sim.store.update((tx) => {
    const service = sim.service('s');
    tx.update('service', { ...service, jobStatus: { jobIteration: { index: 1 } } });
  });
  await sim.until(
    () =>
      completed(sim) === 2 && sim.tasks('s').every(({ jobIteration }) => jobIteration?.index === 1),
  );
  await sim.stop();
});

test('a global job runs once on every node that can take it', async () => {
  const sim = await start();
  await sim.setNode('n3', NodeState.READY, Availability.PAUSE);
  await sim.create('s', globalJob());
  await sim.until(() => completed(sim) === 2);
  await sim.addNode('n4');
  await sim.until(() => completed(sim) === 3);
  await sim.run(30_000);
  assert.equal(sim.tasks('s').length, 3);
  await sim.setNode('n3', NodeState.READY);
  await sim.until(() => completed(sim) === 4);
  await sim.stop();
});

test('a global job gives up on a node after its attempts, and on that node alone', async () => {
  const sim = await start(TaskState.FAILED);
  const restart = { condition: 1, delay: { seconds: 1 }, maxAttempts: 1 };
  await sim.create('s', globalJob({ restart }));
  await sim.run(30_000);
  assert.equal(sim.tasks('s').length, 6);
  await sim.stop();
});
