import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootstrapNode, joinNode } from './cluster.ts';

test('a manager that became a member before its join failed is none afterwards', async (t) => {
  const first = await bootstrapNode(t);
  await joinNode(t, first);
  const third = await joinNode(t, first);
  const { nodeId } = third.securityConfig.identity;
  await third.manager.stop();
  assert.equal(first.manager.members().length, 3);
  await third.securityConfig.withdraw();
  assert.equal(first.manager.members().length, 2);
  assert.equal(await first.manager.read((tx) => tx.get('node', nodeId)), undefined);
});
