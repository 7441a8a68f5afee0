import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../../common/clock.ts';
import { emptyObject, kinds, wrap } from '../../../manager/store/kinds.ts';
import { MemoryStore } from '../../../manager/store/memory-store.ts';
import type { Kind, ObjectTypes, ReadTx, Selector, WriteTx } from '../../../manager/store/types.ts';
import type { Service } from '../../../proto/gen/swarm/objects.ts';
import { StoreObject } from '../../../proto/gen/swarm/store.ts';
import { LocalProposer } from '../../support/local-proposer.ts';
import { localStore } from '../../support/local-store.ts';
import { named, task } from './objects.ts';

/** A write of one object; which of create, update and remove it is depends on what is there. */
const write = fc.record({
  kind: fc.constantFrom('task' as const, 'service' as const),
  id: fc.integer({ min: 0, max: 5 }).map((n) => `id${n}`),
  value: fc.integer({ min: 0, max: 3 }),
  remove: fc.boolean(),
});
const step = fc.oneof(
  { weight: 8, arbitrary: fc.array(write, { minLength: 1, maxLength: 4 }) },
  { weight: 2, arbitrary: fc.record({ release: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ lose: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 1, arbitrary: fc.constant('throw' as const) },
);

type Write = typeof write extends fc.Arbitrary<infer T> ? T : never;

function perform(tx: WriteTx, w: Write): void {
  const existing = tx.get(w.kind, w.id);
  if (w.remove && existing) {
    tx.remove(w.kind, w.id);
  } else if (w.kind === 'task') {
    const fields = { serviceId: `s${w.value}`, slot: w.value, nodeId: `h${w.value % 2}` };
    put(tx, 'task', { ...task(w.id, fields), meta: existing?.meta });
  } else if (existing && w.value === 0) {
    tx.update('service', { ...(existing as Service), pendingDelete: true });
  } else {
    put(tx, 'service', { ...named.service(w.id, `${w.id}-${w.value}`), meta: existing?.meta });
  }
}

function put<K extends Kind>(tx: WriteTx, kind: K, object: ObjectTypes[K]): void {
  if (object.meta) tx.update(kind, object);
  else tx.create(kind, object);
}

/** Everything in a view, in a form that two copies of the same state share. */
function dump(tx: ReadTx): string[] {
  return kinds
    .flatMap((kind) => Array.from(tx.all(kind), (object) => wrap(kind, object)))
    .map((object) => Buffer.from(StoreObject.encode(object).finish()).toString('hex'))
    .sort();
}

/** What each index answers is what a scan with the same question does. */
function checkIndexes(tx: ReadTx): void {
  const selectors: [Selector, (t: ReturnType<typeof task>) => boolean][] = [0, 1, 2, 3].flatMap(
    (n) => [
      [{ serviceId: `s${n}` }, (t) => t.serviceId === `s${n}`],
      [{ nodeId: `h${n}` }, (t) => t.nodeId === `h${n}`],
      [{ slot: { serviceId: `s${n}`, slot: n } }, (t) => t.serviceId === `s${n}` && t.slot === n],
      [{ idPrefix: `id${n}` }, (t) => t.id.startsWith(`id${n}`)],
    ],
  );
  const all = [...tx.all('task')];
  for (const [selector, matches] of selectors) {
    const found = tx.find('task', selector);
    assert.deepEqual(new Set(found), new Set(all.filter(matches)));
    assert.equal(found.length, new Set(found).size);
  }
  for (const service of tx.all('service')) {
    const name = service.spec?.annotations?.name ?? '';
    assert.deepEqual(tx.find('service', { name }), [service]);
    assert.ok(tx.find('service', { namePrefix: name.slice(0, 3) }).includes(service));
  }
  assert.equal(tx.count('task'), all.length);
}

async function follower(log: LocalProposer['log']): Promise<MemoryStore> {
  const store = new MemoryStore({ clock: systemClock, proposer: new LocalProposer() });
  for (const { index, data } of log) store.apply(index, data);
  return store;
}

async function restored(from: MemoryStore): Promise<MemoryStore> {
  const store = new MemoryStore({ clock: systemClock, proposer: new LocalProposer() });
  await store.restore(from.appliedIndex, from.snapshot());
  return store;
}

test('every copy of the state is equal, whatever was proposed, lost and restored', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { store, proposer } = localStore();
      proposer.hold();
      const outcomes: Promise<unknown>[] = [];
      for (const current of steps) {
        if (current === 'throw') {
          const outcome = store.update((tx) => {
            perform(tx, { kind: 'task', id: 'id0', value: 1, remove: false });
            perform(tx, { kind: 'task', id: 'id0', value: 1, remove: true });
            throw new Error('thrown');
          });
          outcomes.push(outcome);
        } else if ('release' in current) {
          proposer.release(current.release);
        } else if ('lose' in current) {
          proposer.lose(current.lose);
          proposer.lead();
        } else {
          outcomes.push(
            store.update((tx) => {
              for (const w of current) perform(tx, w);
              checkIndexes(tx);
            }),
          );
        }
      }
      for (const outcome of outcomes) outcome.catch(() => {});
      const midway = dump((await follower(proposer.log)).view((tx) => tx));
      assert.deepEqual(store.view(dump), midway);

      proposer.release();
      const results = await Promise.allSettled(outcomes);
      for (const result of results) {
        const reason = result.status === 'rejected' ? String(result.reason) : '';
        assert.match(reason, /^$|thrown|leadership was lost/);
      }
      const leader = store.view(dump);
      assert.deepEqual((await follower(proposer.log)).view(dump), leader);
      const copy = await restored(store);
      assert.deepEqual(copy.view(dump), leader);
      copy.view(checkIndexes);
      await store.update((tx) => assert.deepEqual(dump(tx), leader));
    }),
    { numRuns: 300 },
  );
});

test('the changes that a follower reports are those that the leader reports', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(write, { maxLength: 4 }), { maxLength: 20 }),
      async (txs) => {
        const { store, proposer } = localStore();
        const copy = new MemoryStore({ clock: systemClock, proposer: new LocalProposer() });
        const seen: [string[], string[]] = [[], []];
        for (const [i, one] of [store, copy].entries()) {
          one.subscribe(({ index, changes }) => {
            for (const change of changes) {
              const old = change.type === 'update' ? change.old.meta?.version?.index : '';
              const now = change.object.meta?.version?.index;
              seen[i]?.push([index, change.type, change.kind, change.object.id, now, old].join());
            }
          });
        }
        for (const writes of txs) {
          await store.update((tx) => {
            for (const w of writes) perform(tx, w);
          });
        }
        for (const { index, data } of proposer.log) copy.apply(index, data);
        assert.deepEqual(seen[1], seen[0]);
      },
    ),
    { numRuns: 100 },
  );
});

test('an index keeps to the order of the log and to the time in the entry', async () => {
  const { store, proposer } = localStore();
  await store.update((tx) => tx.create('task', task('t1')));
  const copy = await follower(proposer.log);
  const [mine, theirs] = [store, copy].map((one) => one.view((tx) => tx.get('task', 't1')?.meta));
  assert.deepEqual(theirs, mine);
});

test('a snapshot is the state as of the call, however its bytes are cut', async () => {
  const { store } = localStore();
  const ids = Array.from({ length: 500 }, (_, i) => `task-${i}`);
  await store.batch(ids, (tx, id) => tx.create('task', task(id, { serviceId: 's' })));
  const before = store.view(dump);
  const snapshot = store.snapshot();
  await store.update((tx) => tx.remove('task', 'task-7'));

  const pieces: Uint8Array[] = [];
  for await (const piece of snapshot) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  async function* cut(size: number) {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  for (const size of [1, 7, 1000, bytes.length]) {
    const copy = new MemoryStore({ clock: systemClock, proposer: new LocalProposer() });
    const commits: unknown[] = [];
    copy.subscribe((commit) => commits.push(commit));
    await copy.restore(42, cut(size));
    assert.deepEqual(copy.view(dump), before);
    assert.deepEqual(commits, [{ index: 42, changes: [], restored: true }]);
    assert.equal(copy.appliedIndex, 42);
  }
  const half = bytes.subarray(0, bytes.length / 2);
  const copy = new MemoryStore({ clock: systemClock, proposer: new LocalProposer() });
  await assert.rejects(
    copy.restore(
      1,
      (async function* () {
        yield half;
      })(),
    ),
    /snapshot ends inside a chunk/,
  );
});

test('a snapshot holds every kind', async () => {
  const { store } = localStore();
  await store.update((tx) => {
    for (const kind of kinds) tx.create(kind, emptyObject(kind, `of-${kind}`) as never);
  });
  const copy = await restored(store);
  assert.deepEqual(copy.view(dump), store.view(dump));
  for (const kind of kinds)
    assert.equal(
      copy.view((tx) => tx.count(kind)),
      1,
    );
});
