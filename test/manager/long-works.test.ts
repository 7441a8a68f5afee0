import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock, type Timer } from '../../common/clock.ts';
import { silentLogger } from '../../common/logger.ts';
import { systemRandom } from '../../common/random.ts';
import type { Startable } from '../../common/startable.ts';
import { nextTurn } from '../../common/turns.ts';
import { ConstraintEnforcer } from '../../manager/orchestrator/constraint-enforcer.ts';
import { Orchestrator } from '../../manager/orchestrator/orchestrator.ts';
import { TaskReaper } from '../../manager/orchestrator/task-reaper.ts';
import { Scheduler } from '../../manager/scheduler/scheduler.ts';
import { MemoryStore } from '../../manager/store/memory-store.ts';
import type { ReadTx, Store } from '../../manager/store/types.ts';
import { Node, Service } from '../../proto/gen/swarm/objects.ts';
import { NodeState, TaskState } from '../../proto/gen/swarm/types.ts';
import { eventually } from '../support/eventually.ts';
import { LocalProposer } from '../support/local-proposer.ts';
import { localStore } from '../support/local-store.ts';
import { task } from './store/objects.ts';

/** What a slice may do at most: five steps of a millisecond, and the one in which it ends. */
const STEPS_MAX = 6;

/** Time that passes by work alone: a millisecond for each step. */
class WorkClock {
  steps = 0;
  longest = 0;
  #sinceTurn = 0;

  step(): void {
    this.steps++;
    this.longest = Math.max(this.longest, ++this.#sinceTurn);
  }

  reaches(steps: number): Promise<void> {
    return eventually(() => assert.ok(this.steps >= steps, `${this.steps} of ${steps} steps`));
  }

  readonly clock = {
    ...systemClock,
    monotonic: () => this.steps,
    // Timers are due at once: what they wait for is not what is looked at here.
    setTimer: (_ms: number, fn: () => void): Timer => {
      const timer = setImmediate(() => {
        this.#sinceTurn = 0;
        fn();
      });
      return { cancel: () => clearImmediate(timer) };
    },
  };

  readonly yieldTurn = async (): Promise<void> => {
    await nextTurn();
    this.#sinceTurn = 0;
  };
}

const SERVICES = 100;
const NODES = 60;

/** At rest: every service has its task, on a node that suits it. */
async function filled(): Promise<MemoryStore> {
  const { store } = localStore();
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
  await store.batch(numbers(NODES), (tx, i) => {
    const status = { state: NodeState.READY };
    tx.create('node', Node.fromPartial({ id: `n${i}`, spec: {}, status }));
  });
  await store.batch(numbers(SERVICES), (tx, i) => {
    const spec = {
      annotations: { name: `s${i}` },
      mode: { $case: 'replicated' as const, replicated: { replicas: 1 } },
      task: {},
    };
    tx.create('service', Service.fromPartial({ id: `s${i}`, spec, specVersion: { index: 1 } }));
  });
  await store.batch(numbers(SERVICES), (tx, i) => {
    const state = TaskState.RUNNING;
    const place = { serviceId: `s${i}`, slot: 1, nodeId: `n${i % NODES}` };
    const rest = { desiredState: state, status: { state }, specVersion: { index: 1 }, spec: {} };
    tx.create('task', task(`t${i}`, { ...place, ...rest }));
  });
  return store;
}

/** The store, each look at which is a step. */
function counted(store: Store, work: WorkClock): Store {
  const counting = Object.create(store) as { view: Store['view'] };
  counting.view = <T>(read: (tx: ReadTx) => T): T => {
    work.step();
    return store.view(read);
  };
  return new Proxy(store, {
    get: (target, key) => {
      if (key === 'view') return counting.view;
      const value = Reflect.get(target, key) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

interface Parts {
  readonly store: Store;
  readonly clock: WorkClock['clock'];
  readonly yieldTurn: () => Promise<void>;
  readonly random: typeof systemRandom;
  readonly logger: typeof silentLogger;
}

const parts: [name: string, create: (parts: Parts) => Startable, steps: number][] = [
  ['orchestrator', (each) => new Orchestrator(each), SERVICES],
  ['task reaper', (each) => new TaskReaper(each), SERVICES],
  ['constraint enforcer', (each) => new ConstraintEnforcer(each), NODES],
];

for (const [name, create, steps] of parts) {
  test(`a leader begins with everything, but the ${name} not at a stretch`, async () => {
    const store = await filled();
    const before = store.appliedIndex;
    const work = new WorkClock();
    const { clock, yieldTurn } = work;
    const world = { store: counted(store, work), clock, yieldTurn };
    const part = create({ ...world, random: systemRandom, logger: silentLogger });
    await part.start();
    await work.reaches(steps);
    await part.stop();
    assert.ok(work.longest <= STEPS_MAX, `${work.longest} steps at a stretch`);
    assert.equal(store.appliedIndex, before, 'nothing was to be done');
  });
}

test('nodes that change all at once are looked at one after the other', async () => {
  const store = await filled();
  const work = new WorkClock();
  const { clock, yieldTurn } = work;
  const world = { store: counted(store, work), clock, yieldTurn };
  const orchestrator = new Orchestrator({ ...world, random: systemRandom, logger: silentLogger });
  await orchestrator.start();
  await work.reaches(SERVICES);
  const begun = work.steps;
  await store.update((tx) => {
    for (const node of [...tx.all('node')]) {
      tx.update('node', { ...node, status: { ...node.status!, state: NodeState.UNKNOWN } });
    }
  });
  await work.reaches(begun + NODES + SERVICES);
  await orchestrator.stop();
  assert.ok(work.longest <= STEPS_MAX, `${work.longest} steps at a stretch`);
});

test('the scheduler takes up the cluster a part at a time', async () => {
  const { store } = localStore();
  const ids = Array.from({ length: 10_000 }, (_, i) => `t${i}`);
  await store.batch(ids, (tx, id) => tx.create('task', task(id)));
  const work = new WorkClock();
  const { clock, yieldTurn } = work;
  const scheduler = new Scheduler({ store: counted(store, work), clock, yieldTurn });
  await scheduler.start();
  await work.reaches(20);
  await scheduler.stop();
  assert.ok(work.longest <= STEPS_MAX, `${work.longest} parts at a stretch`);
});

const OBJECTS_IN_PIECE = 64;

test('a snapshot is written and read a few pieces at a time, and shows when it is whole', async () => {
  const { store } = localStore();
  const ids = Array.from({ length: 5_000 }, (_, i) => `t${i}`);
  await store.batch(ids, (tx, id) => tx.create('task', task(id)));

  const writing = new WorkClock();
  const source = new MemoryStore({ proposer: new LocalProposer(), ...writing });
  const pieces: Uint8Array[] = [];
  await source.restore(7, store.snapshot());
  for await (const piece of source.snapshot()) {
    writing.step();
    pieces.push(piece);
  }
  assert.equal(pieces.length, Math.ceil(ids.length / OBJECTS_IN_PIECE));
  assert.ok(writing.longest <= STEPS_MAX, `${writing.longest} pieces written at a stretch`);

  const reading = new WorkClock();
  const seen = new Set<number>();
  const copy = new MemoryStore({
    proposer: new LocalProposer(),
    clock: reading.clock,
    yieldTurn: async () => {
      seen.add(copy.view((tx) => tx.count('task')));
      await reading.yieldTurn();
    },
  });
  const restoring = copy.restore(
    7,
    (async function* () {
      for (const piece of pieces) {
        reading.step();
        yield piece;
      }
    })(),
  );
  await restoring;
  assert.ok(reading.longest <= STEPS_MAX, `${reading.longest} pieces read at a stretch`);
  assert.deepEqual([...seen], [0], 'nothing of it is seen before all of it is');
  assert.equal(
    copy.view((tx) => tx.count('task')),
    ids.length,
  );
});
