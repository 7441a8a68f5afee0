import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SwarmError } from '../../common/errors.ts';
import { silentLogger } from '../../common/logger.ts';
import { KeyFile } from '../../manager/ca/key-file.ts';
import { LockKeeper } from '../../manager/lock-keeper.ts';
import { Cluster } from '../../proto/gen/swarm/objects.ts';
import { onEnd, tempDir } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { localStore } from '../support/local-store.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { member } from './control/fixture.ts';

const random = seededRandom(1);
const OLD_KEY = Buffer.alloc(32, 1);
const KEY = Buffer.alloc(32, 2);

test('what the log said once is not followed, only what it says at its end', async (t) => {
  const bench = await lockBench(t);
  bench.members = 3;
  const before = await bench.file();
  await bench.say(OLD_KEY);
  await bench.keeper.start();
  await bench.asked(1);
  await bench.say(undefined);
  bench.answer();
  await bench.asked(2);
  bench.answer();
  await bench.say(KEY);
  await bench.asked(3);
  assert.equal(await bench.file(), before, 'nobody may have the old key any more');
  bench.answer();
  await eventually(() => assert.deepEqual(bench.keys.unlockKey, KEY));
  assert.match(await bench.file(), /"locked": true/);
});

test('without a leader it waits for one, and does not complain', async (t) => {
  const bench = await lockBench(t);
  await bench.say(KEY);
  await bench.keeper.start();
  await bench.asked(1);
  bench.refuse(new SwarmError('SWM_NO_LEADER', 'The swarm does not have a leader.'));
  await bench.clock.until(() => bench.count() === 2, 10_000);
  bench.answer();
  await eventually(async () => assert.deepEqual(bench.keys.unlockKey, KEY));
  assert.deepEqual(bench.warnings, []);
});

test('the only manager is locked with a new key once that was told', async (t) => {
  const bench = await settledBench(t);
  await bench.say(KEY);
  await bench.hesitates();
  await bench.clock.advance(4_000);
  assert.deepEqual(bench.locked(), [undefined, false], 'if it died now, nobody could unlock it');
  bench.keeper.told(KEY);
  await eventually(() => assert.deepEqual(bench.locked(), [KEY, true]));
});

test('or after five seconds, whether it was told or not', async (t) => {
  const bench = await settledBench(t);
  await bench.say(KEY);
  await bench.hesitates();
  await bench.clock.advance(4_999);
  assert.deepEqual(bench.locked(), [undefined, false]);
  await bench.clock.advance(1);
  await eventually(() => assert.deepEqual(bench.locked(), [KEY, true]));
});

test('until then it is locked with the key of before, if there was one', async (t) => {
  const bench = await settledBench(t);
  await bench.say(OLD_KEY);
  bench.keeper.told(OLD_KEY);
  await eventually(() => assert.deepEqual(bench.locked(), [OLD_KEY, true]));
  await bench.say(KEY);
  await bench.hesitates();
  await bench.clock.advance(3_000);
  // Asked for a moment before: it is not the new one that is known.
  bench.keeper.told(OLD_KEY);
  await bench.clock.advance(1_999);
  assert.deepEqual(bench.locked(), [OLD_KEY, true]);
  await bench.clock.advance(1);
  await eventually(() => assert.deepEqual(bench.locked(), [KEY, true]));
});

test('where others can tell the key, it is locked at once', async (t) => {
  const bench = await settledBench(t);
  bench.members = 3;
  await bench.say(KEY);
  await eventually(() => assert.deepEqual(bench.locked(), [KEY, true]));
  assert.equal(bench.clock.pending, 0);
});

test('a key that is there when a life begins is not new', async (t) => {
  const bench = await lockBench(t, { answers: true });
  await bench.say(KEY);
  await bench.keeper.start();
  await eventually(() => assert.deepEqual(bench.locked(), [KEY, true]));
  await bench.say(undefined);
  await eventually(() => assert.deepEqual(bench.locked(), [undefined, false]));
});

/** The only manager of a swarm, which is not locked so far. */
async function settledBench(t: TestContext) {
  const bench = await lockBench(t, { answers: true });
  await bench.say(undefined);
  await bench.keeper.start();
  await bench.clock.advance(0);
  return bench;
}

async function lockBench(t: TestContext, { answers = false } = {}) {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1));
  const path = join(await tempDir(t), 'keys.json');
  const keys = await KeyFile.open({ random }, { path });
  const { store } = localStore(clock);
  const warnings: string[] = [];
  const waiting: { resolve(): void; reject(error: Error): void }[] = [];
  let asked = 0;
  const securityConfig = {
    isKeyEncrypted: false,
    encryptKey: async (passphrase: string | undefined) => {
      securityConfig.isKeyEncrypted = passphrase !== undefined;
    },
    renew: async () => undefined,
  };
  const bench = { members: 1 };
  const consensus = {
    members: () => Array.from({ length: bench.members }, (_, i) => member(i + 1, `m${i}`)),
    rotateKeys: async () => undefined,
    readIndex: () =>
      new Promise<number>((resolve, reject) => {
        asked++;
        if (answers) resolve(1);
        else waiting.push({ resolve: () => resolve(1), reject });
      }),
  };
  const logger = silentLogger.child({});
  logger.warn = ((_: unknown, text: string) => void warnings.push(text)) as typeof logger.warn;
  const keeper = new LockKeeper(
    { clock, logger, store, keys, securityConfig, consensus },
    { clusterId: 'c1' },
  );
  onEnd(t, () => keeper.stop());
  return Object.assign(bench, {
    clock,
    keeper,
    hesitates: () => eventually(() => assert.equal(clock.pending, 1)),
    /** With what, and whether the TLS key is too. */
    locked: () => [keys.unlockKey, securityConfig.isKeyEncrypted],
    keys,
    warnings,
    file: () => readFile(path, 'utf8'),
    count: () => asked,
    asked: (count: number) => eventually(async () => assert(asked >= count)),
    answer: () => waiting.shift()?.resolve(),
    refuse: (error: Error) => waiting.shift()?.reject(error),
    /** The log says that managers are locked with this key, or not at all. */
    say: (key: Uint8Array | undefined) =>
      store.update((tx) => {
        const cluster = Cluster.fromPartial({
          id: 'c1',
          spec: { encryptionConfig: { autoLockManagers: key !== undefined } },
          unlockKeys: key ? [{ subsystem: 'manager', key: Buffer.from(key) }] : [],
        });
        const known = tx.get('cluster', 'c1');
        if (known) tx.update('cluster', { ...cluster, meta: known.meta });
        else tx.create('cluster', cluster);
      }),
  });
}
