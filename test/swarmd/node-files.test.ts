import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  clearLeftovers,
  gossipKey,
  readNodeRecord,
  removeMembership,
  swarmDir,
  tasksDir,
  writeNodeRecord,
} from '../../swarmd/node-files.ts';
import { tempDir } from '../support/cleanup.ts';

const RECORD = {
  listenAddr: '0.0.0.0:2377',
  advertiseAddr: '10.0.0.1:2377',
  dataPathAddr: '10.0.0.1',
  dataPathPort: 4789,
  managers: ['10.0.0.1:2377'],
};

test('the record of a membership is what was written, or is refused', async (t) => {
  const stateDir = await tempDir(t);
  assert.equal(await readNodeRecord(stateDir), undefined);
  await writeNodeRecord(stateDir, RECORD);
  assert.deepEqual(await readNodeRecord(stateDir), RECORD);

  const path = join(swarmDir(stateDir), 'node.json');
  const text = await readFile(path, 'utf8');
  for (const damaged of ['', text.slice(0, 90), text.replace('10.0.0.1', '10.0.0.5')]) {
    await writeFile(path, damaged);
    await assert.rejects(readNodeRecord(stateDir), (error: Error & { code: string }) => {
      assert.equal(error.code, 'SWM_DAMAGED');
      assert(error.message.startsWith(`${path} is damaged: `), error.message);
      return true;
    });
  }
});

test('a record that is missing beside the tasks of the node is not taken for no membership', async (t) => {
  const stateDir = await tempDir(t);
  await mkdir(tasksDir(stateDir), { recursive: true });
  await assert.rejects(readNodeRecord(stateDir), {
    code: 'SWM_DAMAGED',
    message: /it is missing$/,
  });
});

test('a gossip key of a wrong size is replaced', async (t) => {
  const stateDir = await tempDir(t);
  const first = await gossipKey(stateDir, () => new Uint8Array(32).fill(1));
  assert.deepEqual(await gossipKey(stateDir, () => new Uint8Array(32).fill(2)), Buffer.from(first));
  await writeFile(join(swarmDir(stateDir), 'gossip.key'), 'short');
  const second = await gossipKey(stateDir, () => new Uint8Array(32).fill(3));
  assert.deepEqual(await gossipKey(stateDir, () => new Uint8Array(32)), Buffer.from(second));
});

test('a membership goes all at once, and what a crash leaves of it later', async (t) => {
  const stateDir = await tempDir(t);
  await writeNodeRecord(stateDir, RECORD);
  await removeMembership(stateDir);
  await removeMembership(stateDir);
  assert.deepEqual(await readdir(stateDir), []);

  await mkdir(join(stateDir, '.removed-x', 'swarm'), { recursive: true });
  await mkdir(join(stateDir, 'recovery', 'archive'), { recursive: true });
  await mkdir(swarmDir(stateDir));
  await writeFile(join(stateDir, '.daemon-id.0123456789ab'), 'cut');
  await clearLeftovers(stateDir);
  assert.deepEqual(await readdir(stateDir), ['swarm']);
  await rm(swarmDir(stateDir), { recursive: true });
});
