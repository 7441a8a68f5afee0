import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SwarmError } from '../../common/errors.ts';
import { silentLogger } from '../../common/logger.ts';
import type { Manager, ManagerInit, ManagerMode } from '../../manager/index.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import { ManagerKeeper, type ManagerKeeperComponents } from '../../swarmd/manager-keeper.ts';
import type { NodeRecord } from '../../swarmd/node-files.ts';
import { onEnd, tempDir } from '../support/cleanup.ts';
import { eventually } from '../support/eventually.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const RECORD = {
  listenAddr: '127.0.0.1:2377',
  advertiseAddr: '127.0.0.1:2377',
  managers: ['10.0.0.2:2377'],
} as unknown as NodeRecord;
const RESTART: ManagerMode = { type: 'restart' };
const REFUSED = new SwarmError('SWM_PERMISSION_DENIED', 'Permission denied: for a swarm-manager');

test('one that lost its log while it was demoted comes in when it is promoted again', async (t) => {
  const bench = await keeperBench(t, NodeRole.MANAGER);
  bench.outcome = REFUSED;
  await bench.keeper.start(RESTART);
  assert.equal(bench.keeper.manager, undefined, 'the node starts all the same, and may hear of it');
  assert.match(bench.keeper.trouble, /is tried again: Permission denied/);
  await passing(bench, () => assert.ok(bench.made.length >= 3));
  // Promoted again: its certificate says manager, as before, so nobody tells it anything.
  bench.outcome = undefined;
  await passing(bench, () => assert.ok(bench.keeper.manager));
  const [first, ...others] = bench.made.map(({ init }) => init.mode.type);
  assert.equal(first, 'restart');
  assert.deepEqual([...new Set(others)], ['join']);
  assert.equal(bench.keeper.trouble, '');
  assert.equal(bench.clock.pending, 0, 'nothing is tried any more');
});

test('what else keeps a restarted manager from starting is for the caller to know', async (t) => {
  const bench = await keeperBench(t, NodeRole.MANAGER);
  bench.outcome = new SwarmError('SWM_DAMAGED', 'x.ldb is cut off.');
  await assert.rejects(bench.keeper.start(RESTART), { code: 'SWM_DAMAGED' });
  const refused = await keeperBench(t, NodeRole.MANAGER);
  refused.outcome = REFUSED;
  const join: ManagerMode = { type: 'join', remotes: [] };
  await assert.rejects(refused.keeper.start(join), { code: 'SWM_PERMISSION_DENIED' });
  assert.equal(refused.clock.pending, 0);
});

test('whatever changes meanwhile, one attempt is made at a time', async (t) => {
  const bench = await keeperBench(t, NodeRole.WORKER);
  await bench.keeper.start(RESTART);
  assert.equal(bench.made.length, 0);
  bench.role = NodeRole.MANAGER;
  bench.outcome = new SwarmError('SWM_UNAVAILABLE', 'no answer');
  for (let i = 0; i < 3; i++) bench.keeper.followRole();
  await bench.idle();
  assert.equal(bench.made.length, 3);
  assert.equal(bench.clock.pending, 1, 'they are tried again as one');
  bench.role = NodeRole.WORKER;
  bench.keeper.followRole();
  await bench.idle();
  assert.equal(bench.keeper.trouble, '');
  await bench.clock.advance(10_000);
  await bench.idle();
  assert.deepEqual([bench.made.length, bench.clock.pending], [3, 0], 'a worker tries no more');
});

test('a manager that is just starting is ended with the daemon, and none begins after', async (t) => {
  const bench = await keeperBench(t, NodeRole.MANAGER);
  bench.outcome = 'never';
  const starting = assert.rejects(bench.keeper.start(RESTART), { code: 'SWM_UNAVAILABLE' });
  await eventually(() => assert.equal(bench.made.length, 1));
  await bench.keeper.close();
  await starting;
  assert.deepEqual(bench.calls, ['start', 'stop']);
  bench.keeper.followRole();
  await bench.clock.advance(10_000);
  assert.equal(bench.made.length, 1);
});

test('one that the others removed ends, and a new one asks to be let in', async (t) => {
  const bench = await keeperBench(t, NodeRole.MANAGER);
  await bench.keeper.start(RESTART);
  bench.made[0]!.init.onRemoved?.();
  await eventually(() => assert.equal(bench.made.length, 2));
  assert.deepEqual(bench.calls, ['start', 'stop', 'discard', 'start']);
  assert.deepEqual(bench.made[1]!.init.mode, { type: 'join', remotes: RECORD.managers });
});

test('one that is removed because it leaves does not come in again', async (t) => {
  const bench = await keeperBench(t, NodeRole.MANAGER);
  await bench.keeper.start(RESTART);
  await bench.keeper.leaveRaft(false);
  bench.made[0]!.init.onRemoved?.();
  await bench.idle();
  await bench.keeper.close();
  await bench.keeper.stop();
  assert.deepEqual(bench.calls, ['start', 'leave', 'stop']);
  assert.equal(bench.keeper.manager, undefined);
});

test('who may not leave stays, and comes in again when it is removed later', async (t) => {
  const bench = await keeperBench(t, NodeRole.MANAGER);
  await bench.keeper.start(RESTART);
  bench.leaving = new SwarmError('SWM_FAILED_PRECONDITION', 'loss of quorum');
  await assert.rejects(bench.keeper.leaveRaft(false), { code: 'SWM_FAILED_PRECONDITION' });
  bench.made[0]!.init.onRemoved?.();
  await eventually(() => assert.equal(bench.made.length, 2));
});

test('one whose disk failed goes on from it, with the key that it was locked with', async (t) => {
  const bench = await keeperBench(t, NodeRole.MANAGER);
  await bench.keeper.start(RESTART);
  bench.heldUnlockKey = Buffer.from('key');
  bench.made[0]!.init.onFailed?.();
  assert.ok(bench.keeper.manager, 'until then it answers');
  await bench.clock.advance(2_000);
  await eventually(() => assert.equal(bench.made.length, 2));
  await eventually(() => assert.ok(bench.keeper.manager));
  assert.deepEqual(bench.made[1]!.init.mode, RESTART);
  assert.deepEqual(bench.calls, ['start', 'stop', 'start']);
  bench.heldUnlockKey = Buffer.from('another key');
  await bench.keeper.close();
  await bench.keeper.stop();
  assert.deepEqual(bench.keeper.unlockKey, bench.heldUnlockKey, 'for the next start');
});

test('one that was removed before it had started is replaced afterwards', async (t) => {
  const bench = await keeperBench(t, NodeRole.MANAGER);
  bench.onStart = (init) => init.onRemoved?.();
  await bench.keeper.start(RESTART);
  bench.onStart = undefined;
  await eventually(() => assert.equal(bench.made.length, 2));
  assert.deepEqual(bench.calls.slice(0, 3), ['start', 'stop', 'discard']);
});

async function keeperBench(t: TestContext, role: NodeRole) {
  const clock = new VirtualClock();
  const bench = {
    clock,
    role,
    /** What comes of the next start. */
    outcome: undefined as SwarmError | 'never' | undefined,
    onStart: undefined as ((init: ManagerInit) => void) | undefined,
    leaving: undefined as SwarmError | undefined,
    heldUnlockKey: undefined as Uint8Array | undefined,
    calls: [] as string[],
    made: [] as { readonly init: ManagerInit }[],
    keeper: undefined as unknown as ManagerKeeper,
    /** Resolves when what was begun is done. */
    idle: () => bench.keeper.idle,
  };
  const createManager: ManagerKeeperComponents['createManager'] = (_, init) => {
    bench.made.push({ init });
    return fakeManager(bench, init);
  };
  const securityConfig = {
    get identity() {
      return { nodeId: 'n1', clusterId: 'c1', role: bench.role };
    },
  } as ManagerKeeperComponents['securityConfig'];
  const gossip = { members: () => [], onMembers: () => () => undefined };
  const parts = { clock, random: seededRandom(1), logger: silentLogger, gossip, securityConfig };
  bench.keeper = new ManagerKeeper(
    { ...parts, createManager },
    { stateDir: await tempDir(t), record: () => RECORD, onChange: () => undefined },
  );
  onEnd(t, () => bench.keeper.close());
  return bench;
}

/** Time passes until it holds. Files are real, so that how much it is depends on the machine. */
const passing = (bench: Bench, check: () => void) =>
  eventually(async () => {
    await bench.clock.advance(500);
    check();
  });

type Bench = Awaited<ReturnType<typeof keeperBench>>;

/** As much of a manager as its keeper deals with. */
function fakeManager(bench: Bench, init: ManagerInit): Manager {
  let stopped = (_: Error) => {};
  const parts: Pick<Manager, 'start' | 'stop' | 'leaveRaft' | 'discardState' | 'heldUnlockKey'> = {
    get heldUnlockKey() {
      return bench.heldUnlockKey;
    },
    start: async () => {
      bench.calls.push('start');
      bench.onStart?.(init);
      if (bench.outcome === 'never') await new Promise((_, reject) => (stopped = reject));
      else if (bench.outcome) throw bench.outcome;
    },
    stop: async () => {
      bench.calls.push('stop');
      stopped(new SwarmError('SWM_UNAVAILABLE', 'This manager is stopping.'));
    },
    leaveRaft: async () => {
      bench.calls.push('leave');
      if (bench.leaving) throw bench.leaving;
    },
    discardState: async () => void bench.calls.push('discard'),
  };
  return parts as Manager;
}
