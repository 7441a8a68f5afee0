import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveObject } from '../../../manager/store/resolve.ts';
import { taskName } from '../../../manager/store/task-name.ts';
import type { Kind } from '../../../manager/store/types.ts';
import { localStore } from '../../support/local-store.ts';
import { named, task } from './objects.ts';

const { store } = localStore();
const web = task('taskid1', { serviceAnnotations: { name: 'web' }, slot: 3 });
const agent = task('taskid2', { serviceAnnotations: { name: 'agent' }, nodeId: 'h1' });
await store.update((tx) => {
  tx.create('service', named.service('abc111', 'web'));
  tx.create('service', named.service('abc222', 'abc'));
  tx.create('service', named.service('web', 'confusing'));
  tx.create('network', named.network('net111', 'one'));
  tx.create('network', named.network('net222', 'two'));
  tx.create('node', named.node('h1', 'host'));
  tx.create('node', named.node('h2', 'host'));
  tx.create('node', named.node('h3', 'other'));
  tx.create('task', web);
  tx.create('task', agent);
});
const resolve = (kind: Kind, ref: string) => store.view((tx) => resolveObject(tx, kind, ref).id);

test('an id comes before a name, a name before a prefix', () => {
  assert.equal(resolve('service', 'web'), 'web');
  assert.equal(resolve('service', 'confusing'), 'web');
  assert.equal(resolve('service', 'abc'), 'abc222');
  assert.equal(resolve('service', 'abc1'), 'abc111');
  assert.equal(resolve('node', 'other'), 'h3');
  assert.equal(resolve('task', 'taskid1'), 'taskid1');
  assert.equal(resolve('task', 'web.3.taskid1'), 'taskid1');
  assert.equal(taskName(agent), 'agent.h1.taskid2');
  assert.equal(resolve('task', 'agent.h1.taskid2'), 'taskid2');
});

test('what is unknown or ambiguous is said in the words of the API', () => {
  const fails = (kind: Kind, ref: string, code: string, message: string) =>
    assert.throws(() => resolve(kind, ref), { code, message });
  fails('service', 'nope', 'SWM_NOT_FOUND', 'service nope not found');
  fails('service', '', 'SWM_NOT_FOUND', 'service  not found');
  fails('task', 'web.4.taskid1', 'SWM_NOT_FOUND', 'task web.4.taskid1 not found');
  fails('service', 'ab', 'SWM_INVALID_ARGUMENT', 'service ab is ambiguous (2 matches found)');
  fails('node', 'host', 'SWM_INVALID_ARGUMENT', 'node host is ambiguous (2 matches found)');
  const byPrefix = 'network net is ambiguous (2 matches found based on ID prefix)';
  fails('network', 'net', 'SWM_INVALID_ARGUMENT', byPrefix);
});
