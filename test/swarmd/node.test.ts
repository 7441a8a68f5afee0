import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../common/clock.ts';
import { silentLogger } from '../../common/logger.ts';
import { systemRandom } from '../../common/random.ts';
import type { NetDriverApi } from '../../netdriver/index.ts';
import { NodeSpec_Availability } from '../../proto/gen/swarm/specs.ts';
import { defaultClusterSpec } from '../../swarmd/api/convert/cluster.ts';
import { SwarmNode } from '../../swarmd/node.ts';
import {
  type NodeRecord,
  readNodeRecord,
  swarmDir,
  tasksDir,
  writeNodeRecord,
} from '../../swarmd/node-files.ts';
import { tempDir } from '../support/cleanup.ts';
import { freeAddr } from '../support/loopback.ts';
import { SYSTEM } from './api/bench.ts';
import { FakeEngine } from './api/fake-engine.ts';

test('a swarm that was only begun when the daemon died is none', async (t) => {
  const stateDir = await tempDir(t);
  await mkdir(tasksDir(stateDir), { recursive: true });
  await writeNodeRecord(stateDir, { ...RECORD, unfinished: true });
  const node = startable(t, stateDir);
  await node.start();
  assert.equal(node.state().localNodeState, 'inactive');
  assert.equal(existsSync(swarmDir(stateDir)), false);
});

test('it is only begun for as long as nobody was told that it is there', async (t) => {
  const stateDir = await tempDir(t);
  const seen: (NodeRecord | undefined)[] = [];
  const node = startable(t, stateDir, async () => {
    seen.push(await readNodeRecord(stateDir));
  });
  const addr = await freeAddr();
  await node.init({
    listenAddr: addr,
    advertiseAddr: addr,
    dataPathAddr: '',
    dataPathPort: 0,
    forceNewCluster: false,
    spec: defaultClusterSpec,
    availability: NodeSpec_Availability.ACTIVE,
    defaultAddrPool: [],
    subnetSize: 0,
  });
  assert.deepEqual(
    seen.map((record) => record?.unfinished),
    [true],
  );
  const record = await readNodeRecord(stateDir);
  assert.deepEqual([record?.unfinished, record?.managers], [undefined, [addr]]);
  assert.equal(node.state().localNodeState, 'active');
});

const RECORD: NodeRecord = {
  listenAddr: '127.0.0.1:2377',
  advertiseAddr: '127.0.0.1:2377',
  dataPathAddr: '127.0.0.1',
  dataPathPort: 4789,
  managers: [],
};

function startable(t: TestContext, stateDir: string, joinSwarm = async () => undefined): SwarmNode {
  // What is asked for goes on, all else comes to nothing.
  const parts = { joinSwarm, members: () => [] };
  const netdriver = new Proxy(parts as unknown as NetDriverApi, {
    get: (target, name) => Reflect.get(target, name) ?? (async () => undefined),
  });
  const node = new SwarmNode(
    {
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      engine: new FakeEngine(),
      netdriver,
      systemInfo: SYSTEM,
    },
    { stateDir, gossipPort: 7946 },
  );
  t.after(() => node.stop());
  return node;
}
