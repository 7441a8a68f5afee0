import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Clock, systemClock } from '../../common/clock.ts';
import type { Manager, ManagerApi } from '../../manager/index.ts';
import type { SwarmNode } from '../../swarmd/node.ts';
import {
  type NodeRecord,
  readNodeRecord,
  swarmDir,
  tasksDir,
  writeNodeRecord,
} from '../../swarmd/node-files.ts';
import { tempDir } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { deafServer } from '../support/loopback.ts';
import { beginSwarm, join, startable, tokens } from './swarm-node.ts';

test('a swarm that was only begun when the daemon died is none', async (t) => {
  const stateDir = await tempDir(t);
  await mkdir(tasksDir(stateDir), { recursive: true });
  await writeNodeRecord(stateDir, { ...RECORD, unfinished: true });
  const node = startable(t, stateDir);
  await node.start();
  assert.equal(node.state().localNodeState, 'inactive');
  assert.equal(existsSync(swarmDir(stateDir)), false);
});

test('it is only begun for as long as nobody was told that it is there', async (t) => {
  const stateDir = await tempDir(t);
  const seen: (NodeRecord | undefined)[] = [];
  const node = startable(t, stateDir, async () => {
    seen.push(await readNodeRecord(stateDir));
  });
  const addr = await beginSwarm(node);
  assert.deepEqual(
    seen.map((record) => record?.unfinished),
    [true],
  );
  const record = await readNodeRecord(stateDir);
  assert.deepEqual([record?.unfinished, record?.managers], [undefined, [addr]]);
  assert.equal(node.state().localNodeState, 'active');
});

test('an expired certificate is told, and what helps', async (t) => {
  let later = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + later };
  const node = startable(t, await tempDir(t), undefined, clock);
  await beginSwarm(node);
  assert.equal(node.state().error, '');
  later = 91 * 24 * 3_600_000;
  assert.match(
    node.state().error,
    /^the certificate of this node has expired \(.*Z\); .*backup --local.*recover FILE"$/,
  );
});

test('who could not join is told why, also later, until the next attempt', async (t) => {
  const first = startable(t, await tempDir(t));
  const remote = await beginSwarm(first);
  const second = startable(t, await tempDir(t));
  const { worker } = tokens(first);
  await assert.rejects(
    join(second, remote, worker.replace(/.$/, worker.endsWith('0') ? '1' : '0')),
  );
  const { localNodeState, error } = second.state();
  assert.equal(localNodeState, 'inactive');
  assert.match(error, /^joining a swarm failed: A valid join token is necessary/);
  await join(second, remote, worker);
  assert.equal(second.state().error, '');
});

test('an attempt to join is ended by leaving, which is no failure', async (t) => {
  let asked = 0;
  const deaf = await deafServer(t, () => asked++);
  const first = startable(t, await tempDir(t));
  await beginSwarm(first);
  const node = startable(t, await tempDir(t));
  const joining = assert.rejects(join(node, deaf, tokens(first).worker), {
    code: 'SWM_UNAVAILABLE',
    message: 'this node was told to leave',
  });
  await eventually(() => assert.ok(asked > 0));
  await node.leave(false);
  await joining;
  const { localNodeState, error } = node.state();
  assert.deepEqual([localNodeState, error], ['inactive', '']);
  await assert.rejects(node.leave(false), { code: 'SWM_NOT_MANAGER' });
});

test('a worker keeps nothing of a manager that it was', async (t) => {
  const first = startable(t, await tempDir(t));
  const remote = await beginSwarm(first);
  const stateDir = await tempDir(t);
  const worker = startable(t, stateDir);
  await join(worker, remote, tokens(first).worker);
  await worker.stop();
  const raft = path.join(swarmDir(stateDir), 'raft');
  await mkdir(raft);
  await writeFile(path.join(raft, 'keys.json'), 'locked with a key of then');
  const again = startable(t, stateDir);
  await again.start();
  await eventually(() => assert.equal(again.state().localNodeState, 'active'));
  assert.equal(existsSync(raft), false, 'who made it a manager again would need that key');
});

test('a manager that leaves does not come in again when it hears that it is out', async (t) => {
  const first = startable(t, await tempDir(t));
  const remote = await beginSwarm(first);
  const second = startable(t, await tempDir(t));
  await join(second, remote, tokens(first).manager);
  await eventually(() => assert.equal(voters(first), 2));
  answerLate(second.manager!);
  await second.leave(true);
  assert.equal(first.manager!.members().length, 1, 'it is no member any more');
  await first.manager!.read(() => undefined);
});

test('a node that leaves while it starts is gone for good', async (t) => {
  const { stateDir } = await stoppedManager(t);
  const joining = gate();
  const node = startable(t, stateDir, () => joining.passed);
  await node.start();
  const leaving = node.leave(true);
  joining.open();
  await leaving;
  assert.equal(node.state().localNodeState, 'inactive');
  assert.equal(existsSync(swarmDir(stateDir)), false);
});

test('files that cannot be read are tried again, until they can', async (t) => {
  const { stateDir } = await stoppedManager(t);
  const certificates = path.join(swarmDir(stateDir), 'certificates');
  const setTimer: Clock['setTimer'] = (ms, fn) => systemClock.setTimer(ms / 20, fn);
  const joinSwarm = failsOnce(async () => {
    await rename(certificates, `${certificates}.away`);
    await writeFile(certificates, 'no directory');
  });
  const node = startable(t, stateDir, joinSwarm, { ...systemClock, setTimer });
  await node.start();
  await eventually(() => assert.match(node.state().error, /ENOTDIR/));
  await rm(certificates);
  await rename(`${certificates}.away`, certificates);
  await eventually(() => assert.equal(node.state().localNodeState, 'active'));
});

test('a daemon that stops does not wait for a locked manager that does not start', async (t) => {
  const { stateDir, unlockKey } = await stoppedManager(t, { autolock: true });
  const joining = gate();
  const node = startable(t, stateDir, () => joining.passed);
  await node.start();
  assert.equal(node.state().localNodeState, 'locked');
  const refused = assert.rejects(node.unlock(unlockKey), { message: 'the daemon stops' });
  await eventually(() => assert.equal(node.state().localNodeState, 'pending'));
  await node.stop();
  await refused;
});

test('a manager with damaged files is not made the only one, and says so', async (t) => {
  const stateDir = await tempDir(t);
  const node = startable(t, stateDir);
  await beginSwarm(node);
  const key = path.join(swarmDir(stateDir), 'raft', 'keys.json');
  await writeFile(key, 'cut off');
  await assert.rejects(beginSwarm(node, { forceNewCluster: true }), { code: 'SWM_DAMAGED' });
  const { localNodeState, error } = node.state();
  assert.equal(localNodeState, 'error');
  assert.match(error, /keys\.json/);
});

/** Word of the removal comes before the answer of whoever carried it out. */
function answerLate(manager: ManagerApi): void {
  const leaving = manager as Manager;
  const leaveRaft = leaving.leaveRaft.bind(leaving);
  leaving.leaveRaft = async (force) => {
    await leaveRaft(force);
    await eventually(() =>
      assert.rejects(
        leaving.read(() => undefined),
        { code: 'SWM_NOT_MANAGER' },
      ),
    );
  };
}

const voters = ({ manager }: SwarmNode) =>
  manager!.members().filter(({ learner }) => !learner).length;

const RECORD: NodeRecord = {
  listenAddr: '127.0.0.1:2377',
  advertiseAddr: '127.0.0.1:2377',
  dataPathAddr: '127.0.0.1',
  dataPathPort: 4789,
  managers: [],
};

/** What a manager leaves on disk whose daemon was stopped. */
async function stoppedManager(t: TestContext, { autolock = false } = {}) {
  const stateDir = await tempDir(t);
  const node = startable(t, stateDir);
  await beginSwarm(node, { autolock });
  const unlockKey = await node.manager!.unlockKey();
  await node.stop();
  return { stateDir, unlockKey };
}

function gate(): { readonly passed: Promise<undefined>; open(): void } {
  let open = () => {};
  const passed = new Promise<undefined>((resolve) => {
    open = () => resolve(undefined);
  });
  return { passed, open };
}

/** Fails the first time, when `before` is over. */
function failsOnce(before: () => Promise<void>): () => Promise<undefined> {
  let first = true;
  return async () => {
    if (!first) return undefined;
    first = false;
    await before();
    throw new Error('not yet');
  };
}
