import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { extract, pack } from 'tar-stream';
import {
  parseUnlockKey,
  readManagerKeys,
  restoreBackup,
  SecurityConfig,
} from '../../manager/index.ts';
import { ClusterSpec, SecretSpec } from '../../proto/gen/swarm/specs.ts';
import { tempDir } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { freeAddr } from '../support/loopback.ts';
import {
  BOOTSTRAP,
  bootstrapNode,
  components,
  joinNode,
  startNode,
  type TestNode,
} from './cluster.ts';

const LOCKING = {
  ...BOOTSTRAP,
  spec: ClusterSpec.fromPartial({
    annotations: { name: 'default' },
    encryptionConfig: { autoLockManagers: true },
  }),
};
const SECRET = 'the secret of this test';

for (const locked of [false, true]) {
  test(`a follower's backup becomes a cluster of one, ${locked ? 'locked' : 'open'}`, async (t) => {
    const leader = await bootstrapNode(t, locked ? LOCKING : BOOTSTRAP);
    const follower = await joinNode(t, leader);
    const text = await leader.manager.unlockKey();
    const unlockKey = text === '' ? undefined : parseUnlockKey(text);
    if (unlockKey) await eventually(() => assert(follower.manager.heldUnlockKey));
    const data = Buffer.from(SECRET);
    await leader.manager.control.createSecret(
      SecretSpec.fromPartial({ annotations: { name: 'password' }, data }),
    );
    const archive = await collect(await follower.manager.backup({ local: false }));
    assert(!archive.includes(SECRET), 'the state is sealed');
    assert.equal(archive.includes('BEGIN ENCRYPTED PRIVATE KEY'), locked);
    for (const node of [leader, follower]) await node.manager.stop();

    if (unlockKey) {
      const wrong = Buffer.alloc(32, 1);
      await assert.rejects(restore(t, archive, wrong), { code: 'SWM_UNAUTHENTICATED' });
      await assert.rejects(restore(t, archive, undefined), { code: 'SWM_LOCKED' });
    }
    const recovered = await restore(t, archive, unlockKey);
    const { identity } = recovered.securityConfig;
    assert.deepEqual(identity, follower.securityConfig.identity);
    assert.equal(await recovered.manager.unlockKey(), text);
    const [secret] = await recovered.manager.read((tx) => tx.find('secret', { name: 'password' }));
    assert.equal(secret?.spec?.data.toString(), SECRET);
    const [member, ...others] = recovered.manager.members();
    assert.deepEqual([member?.nodeId, member?.addr, others], [identity.nodeId, recovered.addr, []]);
    // It takes writes and new members, and it starts again.
    const second = await joinNode(t, recovered);
    await second.manager.control.removeSecret(secret!.id);
    await eventually(() =>
      assert.equal(
        recovered.manager.readLocal((tx) => tx.count('secret')),
        0,
      ),
    );
  });
}

test('a backup that is not whole is told from one that is', async (t) => {
  const node = await bootstrapNode(t);
  const archive = await collect(await node.manager.backup({ local: true }));
  await node.manager.stop();
  const refused = (bytes: Buffer, message: RegExp) =>
    assert.rejects(restore(t, bytes, undefined), { code: 'SWM_INVALID_ARGUMENT', message });
  await refused(Buffer.from('hello'), /not a whole backup/);
  await refused(Buffer.alloc(0), /no manifest at its end/);
  await refused(archive.subarray(0, 4096), /not a whole backup/);
  const change = (edit: (name: string, content: Buffer) => [string, Buffer][]) =>
    edited(archive, edit);
  const flipped = await change((name, content) => {
    if (!name.startsWith('raft/snapshot')) return [[name, content]];
    const copy = Buffer.from(content);
    copy[100]! ^= 1;
    return [[name, copy]];
  });
  await refused(flipped, /"raft\/snapshot\/00000000" is not what was written/);
  const short = await change((name, content) =>
    name === 'raft/keys.json' ? [] : [[name, content]],
  );
  await refused(short, /"raft\/keys.json" is missing/);
  const escaping = await change((name, content) => [
    ['../outside', content],
    [name, content],
  ]);
  await refused(escaping, /"\.\.\/outside" does not belong into one/);
});

async function restore(
  t: TestContext,
  archive: Buffer,
  unlockKey: Uint8Array | undefined,
): Promise<TestNode> {
  const directory = await tempDir(t);
  const [scratchDir, stateDir] = [join(directory, 'scratch'), join(directory, 'swarm')];
  await mkdir(scratchDir);
  const addr = await freeAddr();
  await restoreBackup(components, {
    archive: Readable.from([archive]),
    scratchDir,
    stateDir,
    advertiseAddr: addr,
    unlockKey,
  });
  const keys = await readManagerKeys(components, stateDir, unlockKey);
  const securityConfig = await SecurityConfig.load(
    { ...components, remotes: () => [addr] },
    { stateDir, passphrase: keys?.passphrase },
  );
  assert(securityConfig);
  return startNode(t, { stateDir, addr, securityConfig }, { type: 'restart' }, keys);
}

async function edited(
  archive: Buffer,
  edit: (name: string, content: Buffer) => [string, Buffer][],
): Promise<Buffer> {
  const from = extract();
  from.end(archive);
  const to = pack();
  for await (const entry of from) {
    const content = await collect(entry);
    for (const [name, changed] of edit(entry.header.name, content)) to.entry({ name }, changed);
  }
  to.finalize();
  return collect(to);
}

async function collect(chunks: AsyncIterable<unknown>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk as Buffer);
  return Buffer.concat(all);
}
