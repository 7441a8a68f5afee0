import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Clock, systemClock } from '../../common/clock.ts';
import { formatUnlockKey } from '../../manager/ca/index.ts';
import { parseUnlockKey, readManagerKeys, SecurityConfig } from '../../manager/index.ts';
import { ClusterSpec } from '../../proto/gen/swarm/specs.ts';
import { eventually } from '../support/eventually.ts';
import {
  BOOTSTRAP,
  bootstrapNode,
  components,
  joinNode,
  startNode,
  type TestNode,
} from './cluster.ts';

const NO_ROTATION = { workerJoinToken: false, managerJoinToken: false, managerUnlockKey: false };
const LOCKING = {
  ...BOOTSTRAP,
  spec: ClusterSpec.fromPartial({
    annotations: { name: 'default' },
    encryptionConfig: { autoLockManagers: true },
  }),
};

test('a cluster that begins locked, and a manager that joins it', async (t) => {
  const first = await bootstrapNode(t, LOCKING);
  await eventually(() => isLocked(first));
  const key = parseUnlockKey(await first.manager.unlockKey());
  assert.deepEqual(Buffer.from(first.manager.heldUnlockKey!), Buffer.from(key));

  const second = await joinNode(t, first);
  assert.equal((await keyFile(second)).locked, true, 'before it has anything to hide');
  await eventually(() => isLocked(second));
  assert.equal(await second.manager.unlockKey(), await first.manager.unlockKey());

  await second.manager.stop();
  await assert.rejects(reload(t, second, undefined), { code: 'SWM_LOCKED' });
  const wrong = Buffer.alloc(32, 1);
  await assert.rejects(reload(t, second, wrong), {
    code: 'SWM_UNAUTHENTICATED',
    message: 'swarm could not be unlocked: invalid key provided',
  });
  const again = await reload(t, second, key);
  assert.equal(await again.manager.unlockKey(), await first.manager.unlockKey());
});

test('the only manager takes a new key as soon as that was asked for', async (t) => {
  // The time for which it would wait for that is never over here.
  const setTimer: Clock['setTimer'] = (ms, fn) =>
    Math.round(ms) === 5_000 ? { cancel: () => {} } : systemClock.setTimer(ms, fn);
  const only = await bootstrapNode(t, LOCKING, { ...systemClock, setTimer });
  await eventually(() => isLocked(only));
  await setAutolock(only, true, { managerUnlockKey: true });
  const key = await only.manager.unlockKey();
  await eventually(() => assert.equal(formatUnlockKey(only.manager.heldUnlockKey!), key));
});

test('autolock goes on, takes another key, and goes off', async (t) => {
  const first = await bootstrapNode(t);
  const second = await joinNode(t, first);
  assert.equal(await first.manager.unlockKey(), '');
  const before = await keyFile(second);
  const certificate = second.securityConfig.certificatePem;

  await setAutolock(first, true);
  for (const node of [first, second]) await eventually(() => isLocked(node));
  const after = await keyFile(second);
  assert.equal(after.keys.length, 1, 'the log needs the old key no more');
  assert.notEqual(after.keys[0], before.keys[0]);
  await eventually(() => assert.notEqual(second.securityConfig.certificatePem, certificate));

  const firstKey = await second.manager.unlockKey();
  await setAutolock(second, true, { managerUnlockKey: true });
  const key = await second.manager.unlockKey();
  assert.notEqual(key, firstKey);
  const holdsNewKey = async (node: TestNode) =>
    assert.deepEqual(Buffer.from(node.manager.heldUnlockKey!), Buffer.from(parseUnlockKey(key)));
  for (const node of [first, second]) await eventually(() => holdsNewKey(node));
  await second.manager.stop();
  await assert.rejects(reload(t, second, parseUnlockKey(firstKey)), {
    code: 'SWM_UNAUTHENTICATED',
  });
  const again = await reload(t, second, parseUnlockKey(key));

  await setAutolock(again, false);
  for (const node of [first, again]) {
    await eventually(async () => {
      assert.equal((await keyFile(node)).locked, false);
      assert(!(await tlsKeyFile(node)).includes('ENCRYPTED'));
    });
  }
  assert.equal(await first.manager.unlockKey(), '');
  await again.manager.stop();
  await reload(t, again, undefined);
  await assert.rejects(setAutolock(first, false, { managerUnlockKey: true }), {
    code: 'SWM_FAILED_PRECONDITION',
    message: 'cannot rotate because autolock is not turned on',
  });
});

test('a manager that is none any more can be read without the unlock key', async (t) => {
  const first = await bootstrapNode(t, LOCKING);
  await eventually(() => isLocked(first));
  await first.manager.stop();
  await first.manager.discardState();
  const { stateDir } = first;
  assert.equal(await readManagerKeys(components, stateDir), undefined);
  assert(await SecurityConfig.load({ ...components, remotes: () => [] }, { stateDir }));
});

async function isLocked(node: TestNode): Promise<void> {
  const { locked, keys } = await keyFile(node);
  assert.equal(locked, true);
  assert.equal(keys.length, 1);
  assert((await tlsKeyFile(node)).includes('BEGIN ENCRYPTED PRIVATE KEY'));
}

async function keyFile({ stateDir }: TestNode): Promise<{ locked: boolean; keys: string[] }> {
  return JSON.parse(await readFile(join(stateDir, 'raft', 'keys.json'), 'utf8'));
}

function tlsKeyFile({ stateDir }: TestNode): Promise<string> {
  return readFile(join(stateDir, 'certificates', 'swarm-node.key'), 'utf8');
}

/** As a daemon that was restarted does. */
async function reload(
  t: TestContext,
  node: TestNode,
  unlockKey: Uint8Array | undefined,
): Promise<TestNode> {
  const { stateDir } = node;
  const keys = await readManagerKeys(components, stateDir, unlockKey);
  const securityConfig = await SecurityConfig.load(
    { ...components, remotes: () => [node.addr] },
    { stateDir, passphrase: keys?.passphrase },
  );
  assert(securityConfig);
  return startNode(t, { ...node, securityConfig }, { type: 'restart' }, keys);
}

async function setAutolock(
  { manager }: TestNode,
  autoLockManagers: boolean,
  rotation: Partial<typeof NO_ROTATION> = {},
): Promise<void> {
  const [cluster] = await manager.read((tx) => [...tx.all('cluster')]);
  const { meta, spec } = cluster!;
  const changed = { ...spec!, encryptionConfig: { autoLockManagers } };
  const version = meta!.version!.index;
  await manager.control.updateCluster(version, changed, { ...NO_ROTATION, ...rotation });
}
