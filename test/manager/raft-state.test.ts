import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Files } from '../../common/files.ts';
import type { ManagerComponents, ManagerInit } from '../../manager/manager-init.ts';
import { openManagerKeys } from '../../manager/raft-state.ts';
import { seededRandom } from '../support/seeded-random.ts';

const PATH = 'state/raft/keys.json';

function open(files: Partial<Files>) {
  const written: string[] = [];
  const components = {
    random: seededRandom(1),
    files: {
      read: async () => undefined,
      exists: async () => false,
      write: async (path: string) => void written.push(path),
      ...files,
    },
  } as unknown as ManagerComponents;
  const init = { stateDir: 'state', mode: { type: 'bootstrap' } } as ManagerInit;
  const keys = openManagerKeys(components, init, new AbortController().signal);
  return { keys, written };
}

test('the first manager of a cluster makes its keys', async () => {
  const { keys, written } = open({});
  assert.equal((await keys).isRotating, false);
  assert.deepEqual(written, [PATH]);
});

test('where there is a log already, and no keys for it, no others are made', async () => {
  const { keys, written } = open({ exists: async (path) => path === 'state/raft/log' });
  await assert.rejects(keys, { code: 'SWM_DAMAGED', message: /keys\.json.*it is missing/ });
  assert.deepEqual(written, []);
});

test('nor where it cannot be seen whether there is one', async () => {
  const failure = new Error('input/output error');
  const { keys, written } = open({ exists: () => Promise.reject(failure) });
  await assert.rejects(keys, failure);
  assert.deepEqual(written, []);
});
