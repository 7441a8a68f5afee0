import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { GossipChange } from '../../../netdriver/gossip/types.ts';
import { SimCluster } from './sim-cluster.ts';

const NET = 'net1';
const put = (cluster: SimCluster, nodeId: string, key: string, value: string) =>
  cluster.node(nodeId).put(NET, 'endpoints', key, Buffer.from(value));

async function onNetwork(seed: number, size: number): Promise<SimCluster> {
  const cluster = await SimCluster.start(seed, size);
  for (const gossip of cluster.nodes.values()) gossip.joinNetwork(NET);
  await cluster.clock.advance(500);
  return cluster;
}

test('a write is seen by all 30 nodes within a second', async () => {
  const cluster = await onNetwork(1, 30);
  put(cluster, 'n7', 'e1', 'a');
  const took = await cluster.clock.until(
    () => [...cluster.nodes.keys()].every((id) => cluster.view(id, NET).join() === 'e1=a@n7'),
    1_000,
  );
  assert.ok(took <= 1_000);
  await cluster.stop();
});

test('an update replaces and a removal takes away, and neither comes back', async () => {
  const cluster = await onNetwork(2, 3);
  put(cluster, 'n0', 'e1', 'a');
  await cluster.clock.advance(300);
  put(cluster, 'n0', 'e1', 'b');
  await cluster.clock.advance(300);
  assert.deepEqual(cluster.view('n2', NET), ['e1=b@n0']);
  cluster.node('n0').remove(NET, 'endpoints', 'e1');
  await cluster.clock.advance(60_000);
  for (const id of cluster.nodes.keys()) assert.deepEqual(cluster.view(id, NET), []);
  await cluster.stop();
});

test('a node that joins the network late gets every row', async () => {
  const cluster = await SimCluster.start(3, 3);
  cluster.node('n0').joinNetwork(NET);
  put(cluster, 'n0', 'e1', 'a');
  await cluster.clock.advance(5_000);
  cluster.node('n2').joinNetwork(NET);
  await cluster.clock.until(() => cluster.view('n2', NET).length === 1, 1_000);
  assert.deepEqual(cluster.view('n1', NET), []);
  assert.deepEqual(
    cluster
      .node('n2')
      .attendance(NET)
      .map((node) => node.nodeId)
      .sort(),
    ['n0', 'n2'],
  );
  await cluster.stop();
});

test('synced: at once when alone, after the first exchange otherwise', async () => {
  const alone = await SimCluster.start(11, 1);
  alone.node('n0').joinNetwork(NET);
  await alone.node('n0').synced(NET);
  await alone.stop();

  const cluster = await SimCluster.start(12, 2);
  cluster.node('n0').joinNetwork(NET);
  put(cluster, 'n0', 'e1', 'a');
  cluster.node('n1').joinNetwork(NET);
  let seen: string[] | undefined;
  const waiting = cluster
    .node('n1')
    .synced(NET)
    .then(() => {
      seen = cluster.view('n1', NET);
    });
  await cluster.clock.advance(1_000);
  await waiting;
  assert.deepEqual(seen, ['e1=a@n0']);
  await cluster.stop();
});

test('rows of a crashed node are hidden, and come back with it', async () => {
  const cluster = await onNetwork(4, 3);
  put(cluster, 'n1', 'e1', 'a');
  await cluster.clock.advance(500);
  const changes: GossipChange[] = [];
  cluster.node('n0').subscribe((_network, list) => changes.push(...list));
  await cluster.crash('n1');
  const took = await cluster.clock.until(() => cluster.view('n0', NET).length === 0, 8_000);
  assert.ok(took < 3_500, `took ${took} ms`);
  assert.deepEqual(
    changes.map((change) => [change.key, change.value]),
    [['e1', undefined]],
  );

  const again = await cluster.boot('n1');
  again.joinNetwork(NET);
  again.put(NET, 'endpoints', 'e1', Buffer.from('b'));
  await cluster.clock.until(() => cluster.view('n0', NET).join() === 'e1=b@n1', 3_000);
  await cluster.stop();
});

test('rows that a node had before its restart and does not have any more vanish', async () => {
  const cluster = await onNetwork(5, 3);
  put(cluster, 'n1', 'old', 'a');
  await cluster.clock.advance(500);
  await cluster.crash('n1');
  const again = await cluster.boot('n1');
  again.joinNetwork(NET);
  await cluster.clock.until(() => cluster.view('n0', NET).length === 0, 20_000);
  await cluster.clock.advance(60_000);
  assert.deepEqual(cluster.view('n2', NET), []);
  await cluster.stop();
});

test('two islands agree again after a minute apart', async () => {
  const cluster = await onNetwork(6, 5);
  put(cluster, 'n0', 'e0', 'a');
  await cluster.clock.advance(500);
  cluster.network.moveTo(1, 'n3', 'n4');
  put(cluster, 'n1', 'e1', 'a');
  put(cluster, 'n4', 'e4', 'a');
  cluster.node('n0').remove(NET, 'endpoints', 'e0');
  await cluster.clock.advance(60_000);
  assert.deepEqual(cluster.view('n0', NET), ['e1=a@n1']);
  assert.deepEqual(cluster.view('n3', NET), ['e4=a@n4']);
  cluster.network.moveTo(0, 'n3', 'n4');
  const both = 'e1=a@n1,e4=a@n4';
  await cluster.clock.until(
    () => [...cluster.nodes.keys()].every((id) => cluster.view(id, NET).join() === both),
    30_000,
  );
  await cluster.stop();
});

test('leaving a network takes the rows of the leaver along', async () => {
  const cluster = await onNetwork(7, 3);
  put(cluster, 'n0', 'e0', 'a');
  put(cluster, 'n1', 'e1', 'a');
  await cluster.clock.advance(500);
  cluster.node('n0').leaveNetwork(NET);
  await cluster.clock.until(() => cluster.view('n1', NET).join() === 'e1=a@n1', 1_000);
  assert.deepEqual(
    cluster
      .node('n2')
      .attendance(NET)
      .map((node) => node.nodeId)
      .sort(),
    ['n1', 'n2'],
  );
  await cluster.stop();
});

test('a frozen node is found dead within eight seconds and refutes when it thaws', async () => {
  const cluster = await onNetwork(8, 4);
  cluster.network.moveTo(1, 'n3');
  await cluster.clock.until(
    () =>
      cluster
        .node('n0')
        .members()
        .some((m) => m.nodeId === 'n3' && !m.alive),
    8_000,
  );
  cluster.network.moveTo(0, 'n3');
  await cluster.clock.until(
    () => [...cluster.nodes.values()].every((node) => node.members().every((m) => m.alive)),
    10_000,
  );
  await cluster.stop();
});

const action = fc.oneof(
  fc.record({
    type: fc.constant('put' as const),
    node: fc.nat(3),
    key: fc.nat(5),
    value: fc.nat(9),
  }),
  fc.record({ type: fc.constant('remove' as const), node: fc.nat(3), key: fc.nat(5) }),
  fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 10, max: 3_000 }) }),
  fc.record({ type: fc.constant('split' as const), node: fc.nat(3) }),
  fc.record({ type: fc.constant('heal' as const) }),
  fc.record({ type: fc.constant('restart' as const), node: fc.nat(3) }),
);

test('always converges: whatever happened, the nodes agree once it stops', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(action, { maxLength: 30 }), async (seed, actions) => {
      const cluster = await onNetwork(seed, 4);
      cluster.network.lossRate = 0.2;
      const truth = new Map<string, string>();
      for (const step of actions) {
        if (step.type === 'wait') await cluster.clock.advance(step.ms);
        else if (step.type === 'split') cluster.network.moveTo(1, `n${step.node}`);
        else if (step.type === 'heal') cluster.network.moveTo(0, 'n0', 'n1', 'n2', 'n3');
        else if (step.type === 'restart') {
          await cluster.crash(`n${step.node}`);
          (await cluster.boot(`n${step.node}`)).joinNetwork(NET);
          for (const key of truth.keys()) if (key.startsWith(`n${step.node}/`)) truth.delete(key);
        } else if (step.type === 'put') {
          put(cluster, `n${step.node}`, `n${step.node}/${step.key}`, `${step.value}`);
          truth.set(`n${step.node}/${step.key}`, `${step.value}`);
        } else {
          cluster.node(`n${step.node}`).remove(NET, 'endpoints', `n${step.node}/${step.key}`);
          truth.delete(`n${step.node}/${step.key}`);
        }
      }
      cluster.network.moveTo(0, 'n0', 'n1', 'n2', 'n3');
      await cluster.clock.advance(120_000);
      const expected = [...truth]
        .map(([key, value]) => `${key}=${value}@${key.split('/')[0]}`)
        .sort();
      for (const id of cluster.nodes.keys()) assert.deepEqual(cluster.view(id, NET), expected, id);
      await cluster.stop();
    }),
    { numRuns: 25 },
  );
});
