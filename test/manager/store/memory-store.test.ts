import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Commit } from '../../../manager/store/types.ts';
import { TaskState } from '../../../proto/gen/swarm/types.ts';
import { localStore } from '../../support/local-store.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { named, task } from './objects.ts';

const ids = (objects: Iterable<{ id: string }>) => Array.from(objects, ({ id }) => id).sort();

test('an update is visible once it resolves, at the version of its log entry', async () => {
  const { store } = localStore();
  const created = await store.update((tx) => {
    tx.create('service', named.service('s1', 'web'));
    return tx.get('service', 's1');
  });
  assert.equal(created?.meta?.version?.index, 1);
  assert.equal(
    store.view((tx) => tx.get('service', 's1')),
    created,
  );
  assert.ok(created?.meta?.createdAt instanceof Date);
  assert.equal(store.appliedIndex, 1);
});

test('transactions do not wait for each other and see what is proposed', async () => {
  const { store, proposer } = localStore();
  proposer.hold();
  const first = store.update((tx) => tx.create('service', named.service('s1', 'web')));
  const second = store.update((tx) => {
    const service = tx.get('service', 's1');
    assert.equal(service?.meta?.version?.index, 1);
    tx.update('service', { ...service!, pendingDelete: true });
  });
  const third = store.update((tx) => ids(tx.find('service', { name: 'WEB' })));
  assert.equal(proposer.inFlight, 2);
  assert.equal(
    store.view((tx) => tx.get('service', 's1')),
    undefined,
  );

  proposer.release(1);
  await first;
  assert.equal(
    store.view((tx) => tx.get('service', 's1')?.pendingDelete),
    false,
  );
  proposer.release();
  await second;
  assert.deepEqual(await third, ['s1']);
  assert.equal(
    store.view((tx) => tx.get('service', 's1')?.meta?.version?.index),
    2,
  );
});

test('a transaction that throws leaves nothing behind', async () => {
  const { store, proposer } = localStore();
  await store.update((tx) => tx.create('task', task('t1', { serviceId: 'a' })));
  await assert.rejects(
    store.update((tx) => {
      tx.update('task', { ...tx.get('task', 't1')!, serviceId: 'b' });
      tx.create('task', task('t2', { serviceId: 'b' }));
      tx.remove('task', 't1');
      throw new Error('changed my mind');
    }),
    /changed my mind/,
  );
  assert.equal(proposer.log.length, 1);
  await store.update((tx) => {
    assert.deepEqual(ids(tx.find('task', { serviceId: 'a' })), ['t1']);
    assert.deepEqual(ids(tx.find('task', { serviceId: 'b' })), []);
    assert.equal(tx.count('task'), 1);
  });
});

test('names are unique within a kind, whatever their case, and the messages are known ones', async () => {
  const { store } = localStore();
  await store.update((tx) => {
    tx.create('service', named.service('s1', 'web'));
    tx.create('network', named.network('n1', 'net'));
    tx.create('secret', named.secret('x1', 'key'));
    tx.create('node', named.node('h1', 'host'));
    tx.create('node', named.node('h2', 'host'));
  });
  await assert.rejects(
    store.update((tx) => tx.create('service', named.service('s2', 'Web'))),
    {
      code: 'SWM_CONFLICT',
      message: 'name conflicts with an existing object: service Web already exists',
    },
  );
  await assert.rejects(
    store.update((tx) => tx.create('network', named.network('n2', 'net'))),
    { message: 'network with name net already exists' },
  );
  await assert.rejects(
    store.update((tx) => tx.create('secret', named.secret('x2', 'key'))),
    { message: 'rpc error: code = AlreadyExists desc = secret key already exists' },
  );
  await assert.rejects(
    store.update((tx) => tx.create('service', named.service('s1', 'other'))),
    { code: 'SWM_CONFLICT', message: 'service s1 already exists' },
  );
  await store.update((tx) => {
    tx.remove('service', 's1');
    tx.create('service', named.service('s2', 'web'));
  });
});

test('an update of a stale copy is out of sequence', async () => {
  const { store } = localStore();
  await store.update((tx) => tx.create('service', named.service('s1')));
  const stale = store.view((tx) => tx.get('service', 's1'))!;
  await store.update((tx) => tx.update('service', { ...stale, pendingDelete: true }));
  await assert.rejects(
    store.update((tx) => tx.update('service', stale)),
    { code: 'SWM_OUT_OF_SEQUENCE', message: 'update out of sequence' },
  );
  await assert.rejects(
    store.update((tx) => tx.update('service', named.service('s9'))),
    { code: 'SWM_NOT_FOUND', message: 'service s9 not found' },
  );
});

test('the version of a spec is that of the entry that replaced it last', async () => {
  const { store } = localStore();
  const versions = () => {
    const { version, specVersion } = store.view((tx) => tx.get('service', 's1'))!.meta!;
    return [version?.index, specVersion?.index];
  };
  await store.update((tx) => tx.create('service', named.service('s1')));
  assert.deepEqual(versions(), [1, 1]);
  const mark = () =>
    store.update((tx) =>
      tx.update('service', { ...tx.get('service', 's1')!, pendingDelete: true }),
    );
  await mark();
  assert.deepEqual(versions(), [2, 1]);
  await store.update((tx) => {
    const { spec } = named.service('s1');
    tx.update('service', { ...tx.get('service', 's1')!, spec });
    tx.update('service', { ...tx.get('service', 's1')!, pendingDelete: false });
  });
  assert.deepEqual(versions(), [3, 3]);
  await mark();
  assert.deepEqual(versions(), [4, 3]);
});

test('tasks keep no version of their spec', async () => {
  const { store } = localStore();
  await store.update((tx) => tx.create('task', task('t1')));
  assert.equal(store.view((tx) => tx.get('task', 't1'))?.meta?.specVersion, undefined);
});

test('a commit reports the net change of each object', async () => {
  const { store } = localStore();
  const commits: Commit[] = [];
  await store.update((tx) => tx.create('task', task('t1', { slot: 1 })));
  store.subscribe((commit) => commits.push(commit));
  await store.update((tx) => {
    tx.create('task', task('gone'));
    tx.remove('task', 'gone');
    tx.update('task', { ...tx.get('task', 't1')!, slot: 2 });
    tx.update('task', { ...tx.get('task', 't1')!, slot: 3 });
    tx.create('task', task('t2'));
    tx.update('task', { ...tx.get('task', 't2')!, slot: 4 });
  });
  assert.equal(commits.length, 1);
  const changes = commits[0]!.changes.map((change) => [change.type, change.object.id]);
  assert.deepEqual(changes, [
    ['update', 't1'],
    ['create', 't2'],
  ]);
  await store.update((tx) => {
    tx.create('task', task('never'));
    tx.remove('task', 'never');
  });
  assert.equal(commits.length, 1, 'nothing changed, nothing was proposed');
});

test('every selector finds exactly its objects', async () => {
  const { store } = localStore();
  await store.update((tx) => {
    tx.create('node', { ...named.node('h1'), role: 1 });
    tx.create('node', named.node('h2'));
    tx.create(
      'task',
      task('abc1', {
        serviceId: 's1',
        slot: 1,
        nodeId: 'h1',
        desiredState: TaskState.RUNNING,
        networks: [{ network: { id: 'net1' } }],
        spec: {
          networks: [{ target: 'net2' }],
          runtime: {
            $case: 'container',
            container: { secrets: [{ secretId: 'x1' }], configs: [{ configId: 'c1' }] },
          },
        },
      }),
    );
    tx.create('task', task('abd2', { serviceId: 's1', slot: 2 }));
    tx.create('service', {
      ...named.service('s1', 'Web'),
      endpoint: { ports: [], virtualIps: [{ networkId: 'net1', addr: '' }] },
    });
  });
  store.view((tx) => {
    assert.deepEqual(ids(tx.find('task', { serviceId: 's1' })), ['abc1', 'abd2']);
    assert.deepEqual(ids(tx.find('task', { nodeId: 'h1' })), ['abc1']);
    assert.deepEqual(ids(tx.find('task', { nodeId: '' })), ['abd2']);
    assert.deepEqual(ids(tx.find('task', { slot: { serviceId: 's1', slot: 2 } })), ['abd2']);
    assert.deepEqual(ids(tx.find('task', { desiredState: TaskState.RUNNING })), ['abc1']);
    assert.deepEqual(ids(tx.find('task', { networkId: 'net1' })), ['abc1']);
    assert.deepEqual(ids(tx.find('task', { networkId: 'net2' })), ['abc1']);
    assert.deepEqual(ids(tx.find('task', { secretId: 'x1' })), ['abc1']);
    assert.deepEqual(ids(tx.find('task', { configId: 'c1' })), ['abc1']);
    assert.deepEqual(ids(tx.find('task', { idPrefix: 'ab' })), ['abc1', 'abd2']);
    assert.deepEqual(ids(tx.find('task', { idPrefix: 'abd' })), ['abd2']);
    assert.deepEqual(ids(tx.find('task', { idPrefix: 'a' })), ['abc1', 'abd2']);
    assert.deepEqual(ids(tx.find('task', { name: 'abc1' })), []);
    assert.deepEqual(ids(tx.find('service', { name: 'wEB' })), ['s1']);
    assert.deepEqual(ids(tx.find('service', { namePrefix: 'w' })), ['s1']);
    assert.deepEqual(ids(tx.find('service', { namePrefix: 'wex' })), []);
    assert.deepEqual(ids(tx.find('service', { networkId: 'net1' })), ['s1']);
    assert.deepEqual(ids(tx.find('node', { role: 1 })), ['h1']);
    assert.deepEqual(ids(tx.find('node', { serviceId: 's1' })), []);
  });
});

test('losing leadership voids what was proposed, once for each caller', async () => {
  const { store, proposer } = localStore();
  await store.update((tx) => tx.create('service', named.service('s1')));
  proposer.hold();
  const survives = store.update((tx) => tx.create('service', named.service('s2')));
  const perishes = store.update((tx) => tx.create('service', named.service('s3')));
  const reads = store.update((tx) => tx.count('service'));
  proposer.lose(1);
  for (const outcome of [survives, perishes, reads]) {
    await assert.rejects(outcome, { code: 'SWM_UNAVAILABLE' });
  }
  assert.deepEqual(
    store.view((tx) => ids(tx.all('service'))),
    ['s1', 's2'],
  );
  await assert.rejects(
    store.update((tx) => tx.create('service', named.service('s4'))),
    { code: 'SWM_NOT_LEADER' },
  );
  proposer.lead();
  proposer.release();
  await store.update((tx) => {
    assert.deepEqual(ids(tx.all('service')), ['s1', 's2']);
    tx.create('service', named.service('s3'));
  });
});

test('a transaction has limits, a batch does not', async () => {
  const { store, proposer } = localStore(new VirtualClock());
  const many = Array.from({ length: 1000 }, (_, i) => `t${i}`);
  await assert.rejects(
    store.update((tx) => {
      for (const id of many) tx.create('task', task(id));
    }),
    { code: 'SWM_RESOURCE_EXHAUSTED' },
  );
  await store.batch(many, (tx, id) => tx.create('task', task(id)));
  assert.equal(
    store.view((tx) => tx.count('task')),
    1000,
  );
  assert.equal(proposer.log.length, 5);

  const large = (id: string) => ({
    ...named.config(id),
    spec: { annotations: { name: id, labels: {}, indices: [] }, data: Buffer.alloc(900 * 1024) },
  });
  await store.batch(['c1', 'c2', 'c3'], (tx, id) => tx.create('config', large(id)));
  assert.equal(proposer.log.length, 8);
});

test('a batch ends at the first item that throws, and keeps those before it', async () => {
  const { store } = localStore();
  await assert.rejects(
    store.batch(['t1', 't2', 't1', 't3'], (tx, id) => tx.create('task', task(id))),
    { code: 'SWM_CONFLICT' },
  );
  await store.update(() => {});
  assert.deepEqual(
    store.view((tx) => ids(tx.all('task'))),
    ['t1', 't2'],
  );
});

test('waitApplied resolves at its index, and gives up with its signal', async () => {
  const { store } = localStore();
  const second = store.waitApplied(2);
  const giveUp = new AbortController();
  const givenUp = assert.rejects(store.waitApplied(99, giveUp.signal), /enough/);
  await store.update((tx) => tx.create('task', task('t1')));
  await store.update((tx) => tx.create('task', task('t2')));
  await second;
  assert.equal(store.appliedIndex, 2);
  giveUp.abort(new Error('enough'));
  await givenUp;
});

test('a transaction inside another one is a mistake that is noticed', async () => {
  const { store } = localStore();
  let inner: Promise<void> | undefined;
  await store.update((tx) => {
    inner = store.update((other) => other.create('task', task('t1')));
    tx.create('task', task('t2'));
  });
  await assert.rejects(inner as Promise<void>, /begun inside another/);
  assert.deepEqual(
    store.view((tx) => ids(tx.all('task'))),
    ['t2'],
  );
});
