import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../../common/logger.ts';
import { ConstraintEnforcer } from '../../../manager/orchestrator/constraint-enforcer.ts';
import { misplacedTasks } from '../../../manager/orchestrator/misplaced.ts';
import { Node, Task } from '../../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../../proto/gen/swarm/types.ts';
import { ClusterSim } from './cluster-sim.ts';
import { replicated } from './specs.ts';

test('a node that no longer meets the constraints loses the task, another takes it', async () => {
  const sim = await ClusterSim.start([]);
  await sim.addNode('n1', { disk: 'ssd' });
  const { store, clock } = sim;
  const enforcer = new ConstraintEnforcer({ store, clock, logger: silentLogger });
  await enforcer.start();
  const placement = { constraints: ['node.labels.disk == ssd'] };
  await sim.create(
    's',
    replicated(1, {}, { placement, restart: { condition: 2, delay: { seconds: 1 } } }),
  );
  await sim.until(() => sim.running('s').length === 1);
  const [before] = sim.running('s');
  await sim.store.update((tx) => {
    const node = tx.get('node', 'n1') as Node;
    tx.update('node', { ...node, spec: Node.fromPartial({ spec: {} }).spec });
  });
  await sim.run(0);
  const rejected = sim.tasks('s').find(({ id }) => id === before?.id);
  assert.equal(rejected?.status?.state, TaskState.REJECTED);
  assert.equal(rejected?.status?.message, 'task rejected by constraint enforcer');
  assert.equal(rejected?.status?.err, 'assigned node no longer meets constraints');
  assert.equal(rejected?.desiredState, TaskState.SHUTDOWN);
  const [successor] = sim
    .tasks('s')
    .filter(({ desiredState }) => desiredState < TaskState.SHUTDOWN);
  assert.equal(successor?.slot, 1);
  await enforcer.stop();
  await sim.stop();
});

test('when a node shrinks, the youngest tasks go until the rest fits', () => {
  const node = Node.fromPartial({
    id: 'n1',
    spec: {},
    description: { resources: { nanoCpus: 4e9, memoryBytes: 1000 } },
  });
  const task = (id: string, age: number, memoryBytes: number) =>
    Task.fromPartial({
      id,
      nodeId: 'n1',
      meta: { createdAt: new Date(1_000 - age) },
      spec: { resources: { reservations: { memoryBytes } } },
      status: { state: TaskState.RUNNING },
      desiredState: TaskState.RUNNING,
    });
  const tasks = [
    task('young', 1, 400),
    task('old', 3, 400),
    task('middle', 2, 700),
    task('free', 0, 0),
  ];
  const misplaced = misplacedTasks(node, tasks, () => undefined);
  assert.deepEqual(
    misplaced.map(({ id }) => id),
    ['middle'],
  );
});
