import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { systemClock } from '../../../common/clock.ts';
import { silentLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import { createGossip, type Gossip, gossipPeerId } from '../../../netdriver/gossip/index.ts';
import { Libp2pTransport } from '../../../netdriver/gossip/libp2p-transport.ts';
import type { GossipPeer } from '../../../proto/gen/swarm/dispatcher.ts';
import { onEnd } from '../../support/cleanup.ts';
import { eventually } from '../../support/eventually.ts';
import { freeAddr, LOOPBACK } from '../../support/loopback.ts';

const NET = 'net1';
/** Twice the time of anti-entropy, with room for a machine under load. */
const PATIENCE_MS = 30_000;

interface Started {
  readonly nodeId: string;
  readonly peerId: string;
  readonly addr: string;
  readonly gossip: Gossip;
}

async function startNode(nodeId: string): Promise<Started> {
  const gossipKey = randomBytes(32);
  const addr = await freeAddr();
  const gossip = createGossip({ clock: systemClock, random: systemRandom, logger: silentLogger });
  await gossip.start({
    nodeId,
    gossipKey,
    gossipListen: addr,
    advertiseAddr: LOOPBACK,
    dataPathAddr: LOOPBACK,
    dataPathPort: 4789,
  });
  return { nodeId, peerId: await gossipPeerId(gossipKey), addr, gossip };
}

interface StartedTransport {
  readonly transport: Libp2pTransport;
  readonly peer: GossipPeer;
}

async function startTransport(nodeId: string, listen?: string): Promise<StartedTransport> {
  const gossipKey = randomBytes(32);
  const addr = listen ?? (await freeAddr());
  const identity = {
    nodeId,
    gossipKey,
    gossipListen: addr,
    advertiseAddr: LOOPBACK,
    dataPathAddr: LOOPBACK,
    dataPathPort: 4789,
  };
  const components = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const transport = new Libp2pTransport(components, { identity });
  await transport.start({
    message: () => {},
    request: async () => Buffer.from('answer'),
    connected: () => {},
    disconnected: () => {},
  });
  const peer = { nodeId, peerId: await gossipPeerId(gossipKey), addr, dataPathAddr: LOOPBACK };
  return { transport, peer };
}

function introduce(nodes: readonly Started[], members: readonly Started[]): void {
  const peers = members.map(({ nodeId, peerId, addr }) => ({
    nodeId,
    peerId,
    addr,
    dataPathAddr: LOOPBACK,
  }));
  for (const node of nodes) node.gossip.setPeers(peers);
}

const keys = (node: Started) =>
  node.gossip
    .rows(NET, 'endpoints')
    .map((row) => row.key)
    .sort();

test('where it cannot listen it says why, in one line', async (t) => {
  const { transport, peer } = await startTransport('n1');
  onEnd(t, () => transport.stop());
  await assert.rejects(startTransport('n2', peer.addr), {
    code: 'SWM_FAILED_PRECONDITION',
    message: `gossip cannot listen on ${peer.addr}: another process already listens there`,
  });
  await assert.rejects(startTransport('n3', '192.0.2.1:7946'), {
    message: 'gossip cannot listen on 192.0.2.1:7946: this machine has no such address',
  });
});

test('three nodes over libp2p share rows, and a stranger gets nothing', async (t) => {
  const nodes = await Promise.all(['a', 'b', 'c'].map(startNode));
  const stranger = await startNode('x');
  onEnd(t, () => Promise.all([...nodes, stranger].map((node) => node.gossip.stop())));
  introduce(nodes, nodes);
  introduce([stranger], [...nodes, stranger]);
  for (const node of [...nodes, stranger]) node.gossip.joinNetwork(NET);
  const [a, b, c] = nodes as [Started, Started, Started];
  a.gossip.put(NET, 'endpoints', 'e1', Buffer.from('1'));
  await eventually(() => assert.deepEqual([keys(b), keys(c)], [['e1'], ['e1']]), PATIENCE_MS);
  stranger.gossip.put(NET, 'endpoints', 'evil', Buffer.from('1'));
  b.gossip.put(NET, 'endpoints', 'e2', Buffer.from('2'));
  await eventually(
    () =>
      assert.deepEqual(
        [keys(a), keys(c)],
        [
          ['e1', 'e2'],
          ['e1', 'e2'],
        ],
      ),
    PATIENCE_MS,
  );
  assert.deepEqual(keys(stranger), ['evil']);
  a.gossip.remove(NET, 'endpoints', 'e1');
  await eventually(() => assert.deepEqual([keys(b), keys(c)], [['e2'], ['e2']]), PATIENCE_MS);
});

test('a node that says goodbye is gone at once, with its rows', async (t) => {
  const nodes = await Promise.all(['a', 'b'].map(startNode));
  const [a, b] = nodes as [Started, Started];
  onEnd(t, () => a.gossip.stop());
  introduce(nodes, nodes);
  for (const node of nodes) node.gossip.joinNetwork(NET);
  b.gossip.put(NET, 'endpoints', 'e1', Buffer.from('1'));
  await eventually(() => assert.deepEqual(keys(a), ['e1']), PATIENCE_MS);
  await b.gossip.stop();
  await eventually(() => assert.deepEqual(keys(a), []), PATIENCE_MS);
});

test('a connection that breaks while a stream opens ends the request, not the process', async (t) => {
  const nodes = await Promise.all(['a', 'b'].map((nodeId) => startTransport(nodeId)));
  const [a, b] = nodes as [StartedTransport, StartedTransport];
  onEnd(t, () => Promise.all(nodes.map((node) => node.transport.stop())));
  for (const node of nodes) node.transport.setPeers(nodes.map((other) => other.peer));
  await eventually(() => assert.equal(a.transport.isConnected('b'), true));
  const request = a.transport.request(
    'b',
    '/swarm/probe/1',
    Buffer.from('x'),
    AbortSignal.timeout(5_000),
  );
  a.transport.disconnect('b');
  await assert.rejects(request);
  await eventually(() => assert.equal(b.transport.isConnected('a'), true));
  const again = await eventually(() =>
    a.transport.request('b', '/swarm/probe/1', Buffer.from('x'), AbortSignal.timeout(1_000)),
  );
  assert.equal(Buffer.from(again).toString(), 'answer');
});
