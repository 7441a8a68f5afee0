import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeSpec_Availability as Availability } from '../../../proto/gen/swarm/specs.ts';
import { NodeState, TaskState } from '../../../proto/gen/swarm/types.ts';
import { ClusterSim } from './cluster-sim.ts';
import { global } from './specs.ts';

const NODES = ['n1', 'n2'];

function nodesOf(sim: ClusterSim): string[] {
  return sim
    .running('s')
    .map(({ nodeId }) => nodeId)
    .sort();
}

async function running(): Promise<ClusterSim> {
  const sim = await ClusterSim.start(NODES);
  await sim.create('s', global());
  await sim.until(() => sim.running('s').length === 2);
  return sim;
}

test('one task on each node, also on those that come later', async () => {
  const sim = await running();
  assert.deepEqual(nodesOf(sim), ['n1', 'n2']);
  assert.ok(sim.tasks('s').every(({ slot }) => slot === 0));
  await sim.addNode('n3');
  await sim.until(() => sim.running('s').length === 3);
  await sim.stop();
});

test('a drained node and one that is down lose theirs, and get a new one when they are back', async () => {
  const sim = await running();
  await sim.setNode('n1', NodeState.READY, Availability.DRAIN);
  await sim.until(() => sim.running('s').length === 1);
  await sim.setNode('n1', NodeState.READY);
  await sim.until(() => sim.running('s').length === 2);
  await sim.setNode('n2', NodeState.DOWN);
  await sim.run(1_000);
  assert.deepEqual(nodesOf(sim), ['n1']);
  await sim.setNode('n2', NodeState.READY);
  sim.replay();
  await sim.until(() => sim.running('s').length === 2);
  await sim.stop();
});

test('a paused node keeps its task and gets no other', async () => {
  const sim = await running();
  await sim.setNode('n1', NodeState.READY, Availability.PAUSE);
  await sim.run(1_000);
  assert.deepEqual(nodesOf(sim), ['n1', 'n2']);
  await sim.store.update((tx) => {
    const [task] = tx.find('task', { nodeId: 'n1' });
    assert.ok(task?.status);
    tx.update('task', { ...task, status: { ...task.status, state: TaskState.FAILED } });
  });
  await sim.run(30_000);
  assert.deepEqual(nodesOf(sim), ['n2']);
  await sim.setNode('n1', NodeState.READY);
  await sim.until(() => sim.running('s').length === 2);
  await sim.stop();
});

test('constraints choose the nodes, and labels that change move the tasks', async () => {
  const sim = await ClusterSim.start(NODES);
  await sim.addNode('n3', { disk: 'ssd' });
  await sim.create('s', global({}, { placement: { constraints: ['node.labels.disk == ssd'] } }));
  await sim.until(() => sim.running('s').length === 1);
  assert.deepEqual(nodesOf(sim), ['n3']);
  await sim.store.update((tx) => {
    for (const [id, disk] of [
      ['n1', 'ssd'],
      ['n3', 'hdd'],
    ] as const) {
      const node = tx.get('node', id);
      assert.ok(node?.spec);
      const annotations = { name: '', indices: [], labels: { disk } };
      tx.update('node', { ...node, spec: { ...node.spec, annotations } });
    }
  });
  await sim.run(1_000);
  assert.deepEqual(nodesOf(sim), ['n1']);
  await sim.stop();
});

test('a node that is removed takes its task with it', async () => {
  const sim = await running();
  await sim.store.update((tx) => tx.remove('node', 'n1'));
  await sim.until(() => sim.tasks('s').length === 1 || sim.running('s').length === 1);
  assert.deepEqual(nodesOf(sim), ['n2']);
  await sim.stop();
});

test('a task that fails is restarted on its node after the delay', async () => {
  const sim = await ClusterSim.start(['n1']);
  sim.behaviours['flaky'] = { end: { state: TaskState.FAILED, afterMs: 1_000 } };
  const runtime = { $case: 'container' as const, container: { image: 'flaky' } };
  await sim.create('s', global({}, { runtime, restart: { condition: 2, delay: { seconds: 2 } } }));
  await sim.run(20_000);
  const starts = sim.transitions.filter(({ to }) => to === TaskState.RUNNING).length;
  assert.ok(starts >= 6 && starts <= 7, `${starts}`);
  await sim.stop();
});
