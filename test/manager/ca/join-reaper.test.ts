import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { SwarmError } from '../../../common/errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import { ABANDONED_AFTER_MS, JoinReaper, neverArrived } from '../../../manager/ca/join-reaper.ts';
import { Node } from '../../../proto/gen/swarm/objects.ts';
import { NodeSpec_Availability, NodeSpec_Membership } from '../../../proto/gen/swarm/specs.ts';
import { NodeRole, NodeState } from '../../../proto/gen/swarm/types.ts';
import { onEnd } from '../../support/cleanup.ts';
import { localStore } from '../../support/local-store.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const { MANAGER, WORKER } = NodeRole;
const { DRAIN } = NodeSpec_Availability;
const HOUR_MS = 3_600_000;
type Change = Parameters<typeof Node.fromPartial>[0];

/** As the CA makes it of a machine that has a valid token. */
function admitted(id: string, role = WORKER, change: Change = {}): Node {
  return Node.fromPartial({
    id,
    role,
    spec: { annotations: {}, desiredRole: role, membership: NodeSpec_Membership.ACCEPTED },
    certificate: { role, cn: id },
    status: {},
    ...change,
  });
}

const arrived = (id: string) => admitted(id, WORKER, { description: { hostname: 'h' } });
const spec = (more: object) => ({ spec: { annotations: {}, desiredRole: WORKER, ...more } });

const cases: [what: string, node: Node, gone: boolean][] = [
  ['a worker that never introduced itself', admitted('w'), true],
  ['a manager likewise', admitted('m2', MANAGER), true],
  ['down or not', admitted('w', WORKER, { status: { state: NodeState.DOWN } }), true],
  ['one that introduced itself', arrived('w'), false],
  ['one that is a Raft member', admitted('m', MANAGER), false],
  ['one with a name', admitted('w', WORKER, spec({ annotations: { name: 'x' } })), false],
  ['one with a label', admitted('w', WORKER, spec({ annotations: { labels: { a: '' } } })), false],
  ['one that was promoted', admitted('w', WORKER, spec({ desiredRole: MANAGER })), false],
  ['one that is drained', admitted('w', WORKER, spec({ availability: DRAIN })), false],
  ['one whose certificate is not known', Node.fromPartial({ id: 'w', spec: {} }), false],
];

for (const [what, node, gone] of cases) {
  test(`${what} ${gone ? 'never arrived' : 'is let be'}`, () => {
    assert.equal(neverArrived(node, new Set(['m'])), gone);
  });
}

test('a node that never arrives is gone after a day, and not before', async (t) => {
  const bench = await reaperBench(t);
  await bench.add(arrived('known'), admitted('lost'));
  await bench.lead();
  await bench.clock.advance(23 * HOUR_MS);
  await bench.add(admitted('later'));
  await bench.clock.advance(HOUR_MS - 1);
  assert.deepEqual(bench.nodes(), ['known', 'later', 'lost']);
  await bench.clock.advance(1);
  assert.deepEqual(bench.nodes(), ['known', 'later']);
  await bench.clock.advance(23 * HOUR_MS);
  assert.deepEqual(bench.nodes(), ['known']);
  assert.equal(bench.clock.pending, 0, 'nobody is waited for any more');
});

test('however old its record, a new leader gives it a day', async (t) => {
  const bench = await reaperBench(t);
  await bench.add(admitted('restored'));
  await bench.clock.advance(30 * 24 * HOUR_MS);
  const first = await bench.lead();
  await bench.clock.advance(23 * HOUR_MS);
  await first.stop();
  await bench.lead();
  await bench.clock.advance(23 * HOUR_MS);
  assert.deepEqual(bench.nodes(), ['restored']);
  await bench.clock.advance(HOUR_MS);
  assert.deepEqual(bench.nodes(), []);
});

test('one that arrives in the last moment stays', async (t) => {
  const bench = await reaperBench(t);
  await bench.add(admitted('slow'), admitted('lost'));
  await bench.lead();
  bench.onRemove = async (id) => {
    if (id === 'slow') throw new SwarmError('SWM_FAILED_PRECONDITION', `node ${id} is not down`);
  };
  await bench.clock.advance(ABANDONED_AFTER_MS);
  assert.deepEqual(bench.nodes(), ['slow']);
});

test('a removal that fails is tried again a minute later', async (t) => {
  const bench = await reaperBench(t);
  await bench.add(admitted('lost'));
  await bench.lead();
  bench.onRemove = async () => {
    throw new SwarmError('SWM_UNAVAILABLE', 'no quorum');
  };
  await bench.clock.advance(ABANDONED_AFTER_MS);
  bench.onRemove = async () => undefined;
  await bench.clock.advance(59_000);
  assert.deepEqual(bench.nodes(), ['lost']);
  await bench.clock.advance(1_000);
  assert.deepEqual(bench.nodes(), []);
});

test('whoever is removed was missing for a day under one leader, and whoever was is removed', async () => {
  const event = fc.record({
    what: fc.constantFrom('admit', 'arrive', 'label', 'elect'),
    id: fc.constantFrom('a', 'b', 'c'),
    hours: fc.integer({ min: 0, max: 30 }),
  });
  const history = fc.array(event, { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(history, async (events) => {
      const bench = await reaperBench();
      let reaper = await bench.lead();
      /** Hours for which the leader of now has missed it. */
      const missing = new Map<string, number>();
      for (const { what, id, hours } of events) {
        if (what === 'elect') {
          await reaper.stop();
          reaper = await bench.lead();
          for (const key of missing.keys()) missing.set(key, 0);
        } else if (what === 'admit' && !bench.nodes().includes(id)) {
          await bench.add(admitted(id));
          missing.set(id, 0);
        } else if (what !== 'admit' && missing.has(id)) {
          await bench.change(id, what === 'arrive' ? arrived(id) : cases[6]![1]);
          missing.delete(id);
        }
        await bench.clock.advance(hours * HOUR_MS);
        for (const [key, since] of [...missing]) {
          missing.set(key, since + hours);
          const isGone = !bench.nodes().includes(key);
          assert.equal(isGone, since + hours >= 24, key);
          if (isGone) missing.delete(key);
        }
      }
      await reaper.stop();
    }),
    { numRuns: 60 },
  );
});

async function reaperBench(t?: TestContext) {
  const clock = new VirtualClock();
  const { store } = localStore(clock);
  const bench = {
    clock,
    onRemove: async (_id: string): Promise<void> => undefined,
    add: (...nodes: Node[]) =>
      store.update((tx) => {
        for (const node of nodes) tx.create('node', node);
      }),
    change: (id: string, node: Node) =>
      store.update((tx) => tx.update('node', { ...node, id, meta: tx.get('node', id)!.meta })),
    nodes: () => store.view((tx) => [...tx.all('node')].map(({ id }) => id).sort()),
    lead: async () => {
      const removeNode = async (id: string) => {
        await bench.onRemove(id);
        await store.update((tx) => tx.remove('node', id));
      };
      const parts = { store, clock, removeNode, logger: silentLogger };
      const reaper = new JoinReaper({ ...parts, members: () => [{ nodeId: 'm' }] });
      if (t) onEnd(t, () => reaper.stop());
      await reaper.start();
      return reaper;
    },
  };
  return bench;
}
