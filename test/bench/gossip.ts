/**
 * How soon an endpoint that one node announces is seen by 30 others, over libp2p on loopback, all of
 * them in this process. Run: node --import tsx test/bench/gossip.ts [nodes] [changes]
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../common/clock.ts';
import { silentLogger } from '../../common/logger.ts';
import { systemRandom } from '../../common/random.ts';
import { createGossip, type Gossip, gossipPeerId } from '../../netdriver/gossip/index.ts';
import type { GossipPeer } from '../../proto/gen/swarm/dispatcher.ts';
import { print, quantile } from './support/report.ts';

const NODES = Number(process.argv[2] ?? 30);
const CHANGES = Number(process.argv[3] ?? 40);
const NETWORK = 'net';
/** All nodes share one thread here: more often, and the bench would measure its own queue. */
const GAP_MS = 500;
const DEADLINE_MS = 60_000;
/** The meshes of the topic form within a few heartbeats. */
const SETTLE_MS = 5_000;

interface Member {
  readonly gossip: Gossip;
  readonly peer: GossipPeer;
}

const members = await Promise.all(Array.from({ length: NODES }, (_, i) => startMember(`n${i}`)));
const peers = members.map(({ peer }) => peer);
for (const [i, newcomer] of members.entries()) {
  const joined = members.slice(0, i + 1);
  for (const { gossip } of joined) gossip.setPeers(peers.slice(0, i + 1));
  newcomer.gossip.joinNetwork(NETWORK);
  await until('all see the newcomer', () =>
    joined.every(({ gossip }) => gossip.attendance(NETWORK).length === joined.length),
  );
}
await sleep(SETTLE_MS);

const putAt = new Map<string, number>();
const delays: number[] = [];
const seen = new Set<string>();
for (const { gossip, peer } of members) {
  gossip.subscribe((_, changes) => {
    for (const { key, owner } of changes) {
      // A row that was hidden for a while and shows again is not new.
      const sight = `${peer.nodeId} sees ${key}`;
      if (owner === peer.nodeId || seen.has(sight)) continue;
      seen.add(sight);
      delays.push(performance.now() - (putAt.get(key) as number));
    }
  });
}
const before = performance.eventLoopUtilization();
for (let i = 0; i < CHANGES; i++) {
  const { gossip } = members[i % NODES] as Member;
  putAt.set(`e${i}`, performance.now());
  gossip.put(NETWORK, 'endpoints', `e${i}`, randomBytes(100));
  await sleep(GAP_MS);
}
const busy = performance.eventLoopUtilization(before).utilization;
const expected = CHANGES * (NODES - 1);
await until('every change is everywhere', () => delays.length >= expected);
await Promise.all(members.map(({ gossip }) => gossip.stop()));

const row = (what: string, value: number, target?: string) =>
  ({ what, unit: 'ms', samples: [value], better: 'lower', ...(target ? { target } : {}) }) as const;
print(`An endpoint seen by ${NODES} nodes`, [
  {
    name: 'swarm-ts',
    figures: [
      row('median', quantile(delays, 0.5)),
      row('p99', quantile(delays, 0.99), '< 1,000'),
      row('last', quantile(delays, 1)),
      { what: 'thread of all nodes busy', unit: '%', samples: [busy * 100], better: 'lower' },
    ],
  },
]);
process.exit(0);

async function startMember(nodeId: string): Promise<Member> {
  const gossipKey = randomBytes(32);
  const addr = `127.0.0.1:${await freePort()}`;
  const gossip = createGossip({ clock: systemClock, random: systemRandom, logger: silentLogger });
  const dataPathAddr = '127.0.0.1';
  await gossip.start({
    nodeId,
    gossipKey,
    gossipListen: addr,
    advertiseAddr: '127.0.0.1',
    dataPathAddr,
    dataPathPort: 4789,
  });
  return { gossip, peer: { nodeId, peerId: await gossipPeerId(gossipKey), addr, dataPathAddr } };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function until(what: string, done: () => boolean): Promise<void> {
  for (const end = performance.now() + DEADLINE_MS; !done(); await sleep(5)) {
    if (performance.now() > end) throw new Error(`${what}: not in time`);
  }
}
