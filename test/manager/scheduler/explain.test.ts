import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainPlacement } from '../../../manager/scheduler/explain.ts';
import { NodeState } from '../../../proto/gen/swarm/types.ts';
import { localStore } from '../../support/local-store.ts';
import { node, running, waiting } from './objects.ts';

test('any manager can tell why a task has no place, node by node', async () => {
  const { store } = localStore();
  const description = { resources: { memoryBytes: 100 } };
  const task = waiting('t', { spec: { resources: { reservations: { memoryBytes: 60 } } } });
  await store.update((tx) => {
    tx.create('node', node('a', { description }));
    tx.create('node', node('b', { description }));
    tx.create('node', node('c', { status: { state: NodeState.DOWN } }));
    tx.create('task', running('y', 'a', { spec: task.spec as never }));
    tx.create('task', task);
  });
  const { summary, rejections } = store.view((tx) => explainPlacement(tx, task));
  assert.equal(
    summary,
    'no suitable node (1 node not available for new tasks; insufficient resources on 1 node)',
  );
  assert.deepEqual(rejections, [
    { nodeId: 'a', filter: 'Resource', wanted: '60 B', had: '40 B free' },
    { nodeId: 'c', filter: 'Ready', wanted: 'ready and active', had: 'down and active' },
  ]);
});
