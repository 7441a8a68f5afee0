import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { SwarmNode } from '../../swarmd/node.ts';
import { swarmDir } from '../../swarmd/node-files.ts';
import { tempDir } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { beginSwarm, join, startable, tokens } from './swarm-node.ts';

test('a worker whose gossip does not start is not in the swarm', async (t) => {
  const { first, remote } = await swarm(t);
  const stateDir = await tempDir(t);
  const second = startable(t, stateDir, () => Promise.reject(new Error('port 7946 is taken')));
  await assert.rejects(join(second, remote, tokens(first).worker), /port 7946 is taken/);
  assert.deepEqual(nodesIn(first), [first.state().nodeId]);
  assert.equal(existsSync(swarmDir(stateDir)), false);
  const { localNodeState, error } = second.state();
  assert.equal(localNodeState, 'inactive');
  assert.match(error, /^joining a swarm failed: port 7946 is taken/);
});

test('nor is a manager whose address is taken', async (t) => {
  const { first, remote } = await swarm(t);
  const second = startable(t, await tempDir(t));
  await assert.rejects(join(second, remote, tokens(first).manager, remote), /already listens/);
  assert.deepEqual(nodesIn(first), [first.state().nodeId]);
});

test('nor one that was a manager already when it failed', async (t) => {
  const { first, remote } = await swarm(t);
  const stateDir = await tempDir(t);
  const second = startable(t, stateDir, async () => {
    // Here the node is to be written down when all of it runs.
    const record = path.join(swarmDir(stateDir), 'node.json');
    await rm(record);
    await mkdir(record);
    return undefined;
  });
  await assert.rejects(join(second, remote, tokens(first).manager), { code: 'EISDIR' });
  assert.deepEqual(nodesIn(first), [first.state().nodeId]);
  assert.equal(first.manager!.members().length, 1);
  await first.manager!.read(() => undefined);
});

test('nor one that leaves while nobody answers it', async (t) => {
  const { first, remote } = await swarm(t);
  let open = () => {};
  const passed = new Promise<undefined>((resolve) => {
    open = () => resolve(undefined);
  });
  const second = startable(t, await tempDir(t), () => passed);
  const joining = assert.rejects(join(second, remote, tokens(first).worker), /told to leave/);
  await eventually(() => assert.equal(nodesIn(first).length, 2));
  const leaving = second.leave(true);
  open();
  await Promise.all([joining, leaving]);
  assert.deepEqual(nodesIn(first), [first.state().nodeId]);
});

async function swarm(t: TestContext) {
  const first = startable(t, await tempDir(t));
  return { first, remote: await beginSwarm(first) };
}

const nodesIn = ({ manager }: SwarmNode) =>
  manager!.readLocal((tx) => [...tx.all('node')]).map(({ id }) => id);
