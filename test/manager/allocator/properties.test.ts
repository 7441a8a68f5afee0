import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../../common/clock.ts';
import { Allocator } from '../../../manager/allocator/allocator.ts';
import { describeUsage } from '../../../manager/allocator/usage.ts';
import { kinds, wrap } from '../../../manager/store/kinds.ts';
import type { ReadTx } from '../../../manager/store/types.ts';
import { StoreObject } from '../../../proto/gen/swarm/store.ts';
import { TaskState } from '../../../proto/gen/swarm/types.ts';
import { localStore } from '../../support/local-store.ts';
import { settle, VirtualClock } from '../../support/virtual-clock.ts';
import { addressesOf, World } from './world.ts';

const network = fc.constantFrom('small', 'tiny', 'wide');
const step = fc.oneof(
  fc.record({
    op: fc.constant('task' as const),
    networks: fc.uniqueArray(network),
    fixed: fc.nat(9),
  }),
  fc.record({ op: fc.constant('service' as const), networks: fc.uniqueArray(network) }),
  fc.record({ op: fc.constant('assign' as const), pick: fc.nat(), node: fc.nat(2) }),
  fc.record({ op: fc.constant('end' as const), pick: fc.nat() }),
  fc.record({ op: fc.constant('remove' as const), pick: fc.nat() }),
  fc.record({ op: fc.constant('drop' as const), pick: fc.nat() }),
  fc.record({ op: fc.constant('restart' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const subnet = (text: string) => ({ ipam: { configs: [{ subnet: text }] } });

/** Runs the steps against a fresh cluster, checking after each; returns the state as bytes. */
async function run(steps: readonly Step[], settleEach = true): Promise<string[]> {
  const clock = new VirtualClock();
  const { store } = localStore(clock);
  const w = new World(store);
  let allocator = new Allocator({ store, clock });
  await allocator.start();
  await w.ingress();
  await w.network('tiny', subnet('10.9.0.0/29'));
  await w.network('small', subnet('10.9.1.0/28'));
  await w.network('wide', subnet('10.9.2.0/24'));
  for (const id of ['n0', 'n1', 'n2']) await w.node(id);
  await settle();
  let serial = 0;
  const pickTask = (pick: number) => {
    const ids = store.view((tx) => Array.from(tx.all('task'), ({ id }) => id)).sort();
    return ids[pick % (ids.length || 1)];
  };
  for (const current of steps) {
    serial += 1;
    if (current.op === 'restart') {
      await allocator.stop();
      allocator = new Allocator({ store, clock });
      await allocator.start();
    } else if (current.op === 'task') {
      const networks = current.networks.map((target) => ({
        target,
        addresses: current.fixed < 8 && target === 'tiny' ? [`10.9.0.${current.fixed}`] : [],
      }));
      await w.task(`t${serial}`, [], { spec: { networks } });
    } else if (current.op === 'service') {
      await w.service(`s${serial}`, current.networks).catch(() => {});
    } else if (current.op === 'drop') {
      const ids = store.view((tx) => Array.from(tx.all('service'), ({ id }) => id)).sort();
      const id = ids[current.pick % (ids.length || 1)];
      if (id) await w.remove('service', id);
    } else {
      const id = pickTask(current.pick);
      const state = id ? (w.get(id).status?.state ?? 0) : undefined;
      if (!id) continue;
      if (current.op === 'remove') await w.remove('task', id);
      else if (current.op === 'end') await w.move(id, TaskState.FAILED);
      else if (state === TaskState.PENDING) {
        await w.move(id, TaskState.ASSIGNED, `n${current.node}`).catch(() => {});
      }
    }
    if (settleEach) await settle();
    store.view(checkOwners);
    if (settleEach) store.view(checkWaiting);
  }
  await settle();
  store.view(checkOwners);
  store.view(checkWaiting);
  await allocator.stop();
  return store.view(dump);
}

function dump(tx: ReadTx): string[] {
  return kinds
    .flatMap((kind) => Array.from(tx.all(kind), (object) => wrap(kind, object)))
    .map((object) => Buffer.from(StoreObject.encode(object).finish()).toString('hex'))
    .sort();
}

/** Found by going through everything, without the index that the allocator uses. */
function owners(tx: ReadTx): [owner: string, networkId: string, address: string][] {
  const found: [string, string, string][] = [];
  for (const task of tx.all('task')) {
    if ((task.status?.state ?? 0) > TaskState.RUNNING) continue;
    for (const attachment of task.networks) {
      for (const address of attachment.addresses) {
        found.push([`task ${task.id}`, attachment.network?.id ?? '', address]);
      }
    }
  }
  for (const service of tx.all('service')) {
    for (const { networkId, addr } of service.endpoint?.virtualIps ?? []) {
      found.push([`service ${service.id}`, networkId, addr]);
    }
  }
  for (const node of tx.all('node')) {
    for (const attachment of node.attachments) {
      for (const address of attachment.addresses) {
        found.push([`node ${node.id}`, attachment.network?.id ?? '', address]);
      }
    }
  }
  return found;
}

function checkOwners(tx: ReadTx): void {
  const seen = new Map<string, string>();
  for (const [owner, networkId, address] of owners(tx)) {
    const key = `${networkId} ${address}`;
    assert.equal(seen.get(key), undefined, `${owner} and ${seen.get(key)} both have ${key}`);
    seen.set(key, owner);
    const config = tx.get('network', networkId)?.ipam?.configs[0];
    assert.notEqual(address.split('/')[0], config?.gateway);
    assert.equal(address.split('/')[1], config?.subnet.split('/')[1]);
  }
  for (const each of tx.all('network')) {
    const usage = describeUsage(tx, each).subnets[0]!;
    const held = owners(tx).filter(([, networkId]) => networkId === each.id).length;
    assert.equal(usage.used, held + 1, 'usage counts every holder and the gateway');
    assert.equal(usage.free, usage.total - usage.used);
  }
}

function checkWaiting(tx: ReadTx): void {
  for (const task of tx.all('task')) {
    if (task.status?.state !== TaskState.NEW) continue;
    assert.deepEqual(addressesOf(task.networks), [], 'a task that waits holds nothing');
    assert.notEqual(task.status.err, '', 'and says why');
  }
}

test('an address never has two owners, and the same history gives the same addresses', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      assert.deepEqual(await run(steps), await run(steps));
    }),
    { numRuns: 60 },
  );
});

test('nothing is lost when changes pile up before the allocator gets to them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      await run(steps, false);
    }),
    { numRuns: 60 },
  );
});

test('whatever was freed can be had again: a network can always be filled', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { maxLength: 30 }), async (ends) => {
      const { store } = localStore();
      const w = new World(store);
      const allocator = new Allocator({ store, clock: systemClock });
      await allocator.start();
      await w.network('small', subnet('10.9.1.0/28'));
      const capacity = 13;
      let serial = 0;
      const live: string[] = [];
      for (const end of [...ends, 0]) {
        const missing = capacity - live.length;
        const more = Array.from({ length: missing }, () => `t${serial++}`);
        await w.tasks(more, ['small']);
        await settle();
        for (const id of more) assert.equal(w.state(id), TaskState.PENDING);
        live.push(...more);
        const [ended] = live.splice(end % live.length, 1);
        if (end % 2) await w.move(ended!, TaskState.FAILED);
        else await w.remove('task', ended!);
      }
      await allocator.stop();
    }),
    { numRuns: 30 },
  );
});
