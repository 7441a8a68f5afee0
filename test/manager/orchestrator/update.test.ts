import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServiceSpec } from '../../../proto/gen/swarm/specs.ts';
import {
  NodeState,
  TaskState,
  UpdateStatus_UpdateState as UpdateState,
} from '../../../proto/gen/swarm/types.ts';
import { ClusterSim } from './cluster-sim.ts';
import { global, replicated } from './specs.ts';

const NODES = ['n1', 'n2', 'n3'];

/** Milliseconds between two looks at the cluster. */
const STEP = 20;

function imageOf(task: { spec?: ServiceSpec['task'] }): string {
  const runtime = task.spec?.runtime;
  return runtime?.$case === 'container' ? runtime.container.image : '';
}

function withImage(image: string) {
  return (spec: ServiceSpec): ServiceSpec => {
    const runtime = spec.task?.runtime;
    if (runtime?.$case !== 'container') throw new Error('the service runs containers');
    const container = { ...runtime.container, image };
    return {
      ...spec,
      task: {
        ...(spec.task as NonNullable<ServiceSpec['task']>),
        runtime: { $case: 'container', container },
      },
    };
  };
}

function images(sim: ClusterSim): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const task of sim.running('s')) counts[imageOf(task)] = (counts[imageOf(task)] ?? 0) + 1;
  return counts;
}

function stateOf(sim: ClusterSim): UpdateState {
  return sim.service('s').updateStatus?.state ?? UpdateState.UNKNOWN;
}

async function running(replicas: number, update: object, rollback?: object): Promise<ClusterSim> {
  const sim = await ClusterSim.start(NODES);
  sim.behaviours['bad'] = { start: { state: TaskState.FAILED, afterMs: 100 } };
  sim.behaviours['hangs'] = { start: { state: TaskState.STARTING, afterMs: 100 } };
  const fields = { update, ...(rollback ? { rollback } : {}) };
  await sim.create(
    's',
    replicated(replicas, fields, { restart: { condition: 2, delay: { seconds: 5 } } }),
  );
  await sim.until(() => sim.running('s').length === replicas);
  return sim;
}

/** Runs until the update has ended, and returns the fewest and the most tasks that ran meanwhile. */
async function watch(sim: ClusterSim, until: UpdateState, limitMs = 600_000) {
  let fewest = Infinity;
  let most = 0;
  let changing = 0;
  for (let ms = 0; stateOf(sim) !== until; ms += STEP) {
    assert.ok(ms < limitMs, `update is ${UpdateState[stateOf(sim)]}`);
    const count = sim.tasks('s').filter(({ status }) => status?.state === TaskState.RUNNING).length;
    fewest = Math.min(fewest, count);
    most = Math.max(most, count);
    changing = Math.max(
      changing,
      sim.tasks('s').filter((task) => task.desiredState === TaskState.READY).length,
    );
    await sim.run(STEP);
  }
  return { fewest, most, changing };
}

test('stop-first, one at a time: an old task ends before its successor starts', async () => {
  const sim = await running(4, { parallelism: 1, monitor: { seconds: 1 } });
  await sim.updateService('s', withImage('new'));
  assert.equal(stateOf(sim), UpdateState.UPDATING);
  assert.equal(sim.service('s').updateStatus?.message, 'update in progress');
  const { fewest, most } = await watch(sim, UpdateState.COMPLETED);
  assert.deepEqual([fewest, most], [3, 4]);
  assert.deepEqual(images(sim), { new: 4 });
  assert.equal(sim.service('s').updateStatus?.message, 'update completed');
  assert.ok(sim.service('s').updateStatus?.completedAt);
  await sim.stop();
});

test('start-first: the old task goes when the new one runs', async () => {
  const sim = await running(4, { parallelism: 2, order: 1, monitor: { seconds: 1 } });
  await sim.updateService('s', withImage('new'));
  const { fewest, most } = await watch(sim, UpdateState.COMPLETED);
  assert.equal(fewest, 4);
  assert.ok(most <= 6 && most > 4, `${most}`);
  assert.deepEqual(images(sim), { new: 4 });
  await sim.stop();
});

test('parallelism bounds the slots under way, and 0 takes them all at once', async () => {
  const two = await running(6, { parallelism: 2, monitor: { seconds: 1 } });
  await two.updateService('s', withImage('new'));
  const { fewest } = await watch(two, UpdateState.COMPLETED);
  assert.equal(fewest, 4);
  await two.stop();

  const all = await running(6, { parallelism: 0, monitor: { seconds: 1 } });
  await all.updateService('s', withImage('new'));
  assert.equal((await watch(all, UpdateState.COMPLETED)).fewest, 0);
  await all.stop();
});

test('the delay comes between one slot and the next, and the monitor at the end', async () => {
  const update = { parallelism: 1, delay: { seconds: 10 }, monitor: { seconds: 20 } };
  const sim = await running(3, update);
  const start = sim.clock.now();
  await sim.updateService('s', withImage('new'));
  await sim.until(() => images(sim)['new'] === 3);
  const updated = sim.clock.now() - start;
  assert.ok(updated >= 20_000 && updated < 22_000, `${updated}`);
  await sim.until(() => stateOf(sim) === UpdateState.COMPLETED);
  const done = sim.clock.now() - start;
  assert.ok(done - updated >= 19_000 && done - updated < 21_000, `${done - updated}`);
  await sim.stop();
});

test('a failure pauses the update, and nothing more is touched', async () => {
  const sim = await running(4, { parallelism: 1 });
  await sim.updateService('s', withImage('bad'));
  await watch(sim, UpdateState.PAUSED);
  assert.match(
    sim.service('s').updateStatus?.message ?? '',
    /^update paused due to failure or early termination of task \w+$/,
  );
  await sim.run(60_000);
  assert.deepEqual(images(sim), { good: 3 });
  assert.equal(stateOf(sim), UpdateState.PAUSED);

  await sim.updateService('s', withImage('better'));
  await watch(sim, UpdateState.COMPLETED);
  assert.deepEqual(images(sim), { better: 4 });
  await sim.stop();
});

test('a task that ends while it is monitored is a failure too', async () => {
  const sim = await running(2, { parallelism: 1, monitor: { seconds: 30 } });
  sim.behaviours['short'] = { end: { state: TaskState.COMPLETE, afterMs: 10_000 } };
  await sim.updateService('s', withImage('short'));
  await watch(sim, UpdateState.PAUSED);
  await sim.stop();
});

test('a paused start-first update leaves the old task in peace', async () => {
  const sim = await running(2, { parallelism: 1, order: 1 });
  await sim.updateService('s', withImage('bad'));
  await watch(sim, UpdateState.PAUSED);
  const before = sim.transitions.length;
  await sim.run(60_000);
  assert.deepEqual(images(sim), { good: 2 });
  assert.ok(sim.transitions.length - before <= 2, 'the failed task is not tried over and over');
  await sim.stop();
});

test('with continue, failures stop nothing', async () => {
  const sim = await running(3, { parallelism: 1, failureAction: 1 });
  await sim.updateService('s', withImage('bad'));
  await watch(sim, UpdateState.COMPLETED);
  assert.deepEqual(images(sim), {});
  await sim.stop();
});

test('the ratio of failures that is borne', async () => {
  const sim = await running(4, { parallelism: 1, maxFailureRatio: 0.5 });
  let starts = 0;
  const behaviours = sim.behaviours;
  Object.defineProperty(behaviours, 'mixed', {
    get: () => {
      starts++;
      return starts === 1 ? { start: { state: TaskState.FAILED, afterMs: 50 } } : {};
    },
  });
  await sim.updateService('s', withImage('mixed'));
  await watch(sim, UpdateState.COMPLETED);
  await sim.stop();
});

test('a failure rolls the service back to what it was', async () => {
  const sim = await running(4, { parallelism: 1, failureAction: 2 }, { parallelism: 2 });
  const before = sim.service('s').spec;
  await sim.updateService('s', withImage('bad'));
  await watch(sim, UpdateState.ROLLBACK_STARTED);
  assert.match(sim.service('s').updateStatus?.message ?? '', /^update rolled back due to failure/);
  await watch(sim, UpdateState.ROLLBACK_COMPLETED);
  assert.equal(sim.service('s').updateStatus?.message, 'rollback completed');
  assert.deepEqual(sim.service('s').spec, before);
  assert.equal(sim.service('s').previousSpec, undefined);
  await sim.until(() => sim.running('s').length === 4);
  assert.deepEqual(images(sim), { good: 4 });
  await sim.stop();
});

test('a rollback that fails is paused, and stays so', async () => {
  const rollback = { parallelism: 1, failureAction: 2 };
  const sim = await running(3, { parallelism: 1, failureAction: 2 }, rollback);
  await sim.updateService('s', withImage('bad'));
  sim.behaviours['good'] = { start: { state: TaskState.FAILED, afterMs: 50 } };
  await watch(sim, UpdateState.ROLLBACK_PAUSED);
  assert.match(sim.service('s').updateStatus?.message ?? '', /^rollback paused due to failure/);
  await sim.run(120_000);
  assert.equal(stateOf(sim), UpdateState.ROLLBACK_PAUSED);
  await sim.stop();
});

test('a rollback without anything to go back to pauses', async () => {
  const sim = await running(2, { parallelism: 1, failureAction: 2 });
  await sim.updateService('s', withImage('bad'));
  await sim.store.update((tx) => {
    tx.update('service', { ...sim.service('s'), previousSpec: undefined });
  });
  await watch(sim, UpdateState.PAUSED);
  assert.match(sim.service('s').updateStatus?.message ?? '', /there is no previous spec$/);
  await sim.stop();
});

test('a new spec in the middle of an update takes over', async () => {
  const sim = await running(4, { parallelism: 1, delay: { seconds: 5 }, monitor: { seconds: 1 } });
  await sim.updateService('s', withImage('second'));
  await sim.until(() => images(sim)['second'] === 2);
  await sim.updateService('s', withImage('third'));
  await watch(sim, UpdateState.COMPLETED);
  assert.deepEqual(images(sim), { third: 4 });
  await sim.stop();
});

for (const order of [0, 1]) {
  test(`updates that come faster than tasks start, ${order ? 'start' : 'stop'}-first`, async () => {
    const sim = await running(4, { parallelism: 2, order, monitor: { seconds: 1 } });
    const replicas =
      (count: number) =>
      (spec: ServiceSpec): ServiceSpec => ({
        ...spec,
        mode: { $case: 'replicated', replicated: { replicas: count } },
      });
    for (const image of ['x', 'y', 'x']) await sim.updateService('s', withImage(image));
    await sim.run(50);
    await sim.updateService('s', replicas(3));
    await sim.newLeader();
    await sim.updateService('s', replicas(5));
    await sim.until(() => images(sim)['x'] === 5);
    await sim.run(10_000);
    assert.deepEqual(images(sim), { x: 5 });
    assert.notEqual(stateOf(sim), UpdateState.UPDATING);
    await sim.stop();
  });
}

test('a task that never runs fails the update in the end', async () => {
  const sim = await running(2, { parallelism: 1 });
  await sim.updateService('s', withImage('hangs'));
  await sim.run(9 * 60_000);
  assert.equal(stateOf(sim), UpdateState.UPDATING);
  await watch(sim, UpdateState.PAUSED, 120_000);
  await sim.stop();
});

test('what does not change a task does not replace it', async () => {
  const sim = await running(2, { parallelism: 1 });
  const before = sim
    .running('s')
    .map(({ id }) => id)
    .sort();
  await sim.updateService('s', (spec) => ({
    ...spec,
    update: { ...(spec.update as NonNullable<ServiceSpec['update']>), parallelism: 7 },
  }));
  await sim.updateService('s', (spec) => ({
    ...spec,
    task: {
      ...(spec.task as NonNullable<ServiceSpec['task']>),
      placement: {
        constraints: ['node.id != nobody'],
        preferences: [],
        platforms: [],
        maxReplicas: 0,
      },
    },
  }));
  await sim.run(30_000);
  assert.deepEqual(
    sim
      .running('s')
      .map(({ id }) => id)
      .sort(),
    before,
  );
  assert.equal(sim.service('s').updateStatus, undefined);

  await sim.updateService('s', (spec) => ({
    ...spec,
    task: { ...(spec.task as NonNullable<ServiceSpec['task']>), forceUpdate: 1 },
  }));
  await watch(sim, UpdateState.COMPLETED);
  assert.equal(sim.running('s').filter(({ id }) => before.includes(id)).length, 0);
  await sim.stop();
});

test('an update goes on under a new leader', async () => {
  const sim = await running(4, { parallelism: 1, delay: { seconds: 2 }, monitor: { seconds: 1 } });
  await sim.updateService('s', withImage('new'));
  await sim.until(() => images(sim)['new'] === 1);
  await sim.newLeader();
  await sim.until(() => images(sim)['new'] === 3);
  await sim.newLeader();
  const { fewest } = await watch(sim, UpdateState.COMPLETED);
  assert.ok(fewest >= 3);
  assert.deepEqual(images(sim), { new: 4 });
  await sim.stop();
});

test('a global service is updated node by node, and a node that fails holds up no other', async () => {
  const sim = await ClusterSim.start(NODES);
  await sim.create(
    's',
    global({ update: { parallelism: 1, failureAction: 1, monitor: { seconds: 1 } } }),
  );
  await sim.until(() => sim.running('s').length === 3);
  await sim.setNode('n2', NodeState.UNKNOWN);
  await sim.updateService('s', withImage('new'));
  await watch(sim, UpdateState.COMPLETED, 20 * 60_000);
  assert.deepEqual(images(sim), { new: 2 });
  await sim.stop();
});
