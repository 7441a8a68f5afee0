import type { TestContext } from 'node:test';
import { systemClock } from '../../common/clock.ts';
import { silentLogger } from '../../common/logger.ts';
import { systemRandom } from '../../common/random.ts';
import type { NetDriverApi } from '../../netdriver/index.ts';
import { NodeSpec_Availability } from '../../proto/gen/swarm/specs.ts';
import { defaultClusterSpec } from '../../swarmd/api/convert/cluster.ts';
import { SwarmNode } from '../../swarmd/node.ts';
import { onEnd } from '../support/cleanup.ts';
import { freeAddr } from '../support/loopback.ts';
import { SYSTEM } from './api/bench.ts';
import { FakeEngine } from './api/fake-engine.ts';

/** A node with an engine and a network that do nothing; `joinSwarm` is the network's. Ends with `t`. */
export function startable(
  t: TestContext,
  stateDir: string,
  joinSwarm = async () => undefined,
  clock = systemClock,
): SwarmNode {
  // What is asked for goes on, all else comes to nothing.
  const parts = { joinSwarm, members: () => [], onMembers: () => () => undefined };
  const netdriver = new Proxy(parts as unknown as NetDriverApi, {
    get: (target, name) => Reflect.get(target, name) ?? (async () => undefined),
  });
  const node = new SwarmNode(
    {
      clock,
      random: systemRandom,
      logger: silentLogger,
      engine: new FakeEngine(),
      netdriver,
      systemInfo: SYSTEM,
    },
    { stateDir, gossipPort: 7946 },
  );
  onEnd(t, () => node.stop());
  return node;
}

/** Resolves with the address of its manager. */
export async function beginSwarm(
  node: SwarmNode,
  { autolock = false, forceNewCluster = false } = {},
): Promise<string> {
  const addr = await freeAddr();
  await node.init({
    listenAddr: addr,
    advertiseAddr: addr,
    dataPathAddr: '',
    dataPathPort: 0,
    forceNewCluster,
    spec: { ...defaultClusterSpec, encryptionConfig: { autoLockManagers: autolock } },
    availability: NodeSpec_Availability.ACTIVE,
    defaultAddrPool: [],
    subnetSize: 0,
  });
  return addr;
}

/** Has it listen at an address that is free, unless one is given. */
export async function join(
  node: SwarmNode,
  remote: string,
  joinToken: string,
  listenAddr?: string,
): Promise<void> {
  const addr = listenAddr ?? (await freeAddr());
  await node.join({
    listenAddr: addr,
    advertiseAddr: addr,
    dataPathAddr: '',
    remoteAddrs: [remote],
    joinToken,
    availability: NodeSpec_Availability.ACTIVE,
  });
}

/** The join tokens of the swarm that it manages. */
export function tokens({ manager }: SwarmNode) {
  const [cluster] = manager!.readLocal((tx) => [...tx.all('cluster')]);
  return cluster!.rootCa!.joinTokens!;
}
