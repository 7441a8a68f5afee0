import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Clock, systemClock } from '../../common/clock.ts';
import { createLogger, silentLogger } from '../../common/logger.ts';
import { systemRandom } from '../../common/random.ts';
import { type KeyFile, Manager, type ManagerMode, SecurityConfig } from '../../manager/index.ts';
import type { JoinTokens } from '../../proto/gen/swarm/objects.ts';
import { ClusterSpec, NodeSpec_Availability } from '../../proto/gen/swarm/specs.ts';
import { onEnd, tempDir } from '../support/cleanup.ts';
import { freeAddr } from '../support/loopback.ts';

const level = process.env['SWARM_TEST_LOG'];

export const components = {
  clock: systemClock,
  random: systemRandom,
  logger: level ? createLogger(level) : silentLogger,
};

/** A node of a test cluster: an identity on disk, and a manager while it is one. */
export interface TestNode {
  readonly stateDir: string;
  readonly addr: string;
  readonly securityConfig: SecurityConfig;
  /** Of the manager. */
  readonly clock?: Clock;
  manager: Manager;
}

export const BOOTSTRAP: ManagerMode = {
  type: 'bootstrap',
  spec: ClusterSpec.fromPartial({ annotations: { name: 'default' } }),
  availability: NodeSpec_Availability.ACTIVE,
  defaultAddressPool: [],
  subnetSize: 0,
  dataPathPort: 0,
};

/** The first manager of a new cluster, serving. */
export async function bootstrapNode(
  t: TestContext,
  mode = BOOTSTRAP,
  clock = systemClock,
): Promise<TestNode> {
  const stateDir = await tempDir(t);
  const addr = await freeAddr();
  const remotes = () => [addr];
  const securityConfig = await SecurityConfig.bootstrap({ ...components, remotes }, { stateDir });
  return startNode(t, { stateDir, addr, securityConfig, clock }, mode);
}

/** Another manager of the cluster of `first`, serving. */
export async function joinNode(t: TestContext, first: TestNode): Promise<TestNode> {
  const token = (await joinTokens(first)).manager;
  const node = await enrolNode(t, first, token);
  return startNode(t, node, { type: 'join', remotes: [first.addr] });
}

/** A member without a manager. */
export async function enrolNode(
  t: TestContext,
  first: TestNode,
  token: string,
): Promise<Omit<TestNode, 'manager'>> {
  const stateDir = await tempDir(t);
  const addr = await freeAddr();
  const remotes = [first.addr];
  const securityConfig = await SecurityConfig.join(
    { ...components, remotes: () => remotes },
    { stateDir, remotes, token, availability: NodeSpec_Availability.ACTIVE },
  );
  return { stateDir, addr, securityConfig };
}

export async function startNode(
  t: TestContext,
  node: Omit<TestNode, 'manager'>,
  mode: ManagerMode,
  keys?: KeyFile,
): Promise<TestNode> {
  const manager = newManager(node, mode, keys);
  onEnd(t, () => manager.stop());
  await manager.start();
  return { ...node, manager };
}

export function newManager(
  node: Omit<TestNode, 'manager'>,
  mode: ManagerMode,
  keys?: KeyFile,
  onRemoved?: () => void,
): Manager {
  const { stateDir, addr, securityConfig, clock = systemClock } = node;
  return new Manager(
    { ...components, clock, securityConfig, keys },
    { stateDir, listenAddr: addr, advertiseAddr: addr, mode, ...(onRemoved ? { onRemoved } : {}) },
  );
}

export function joinTokens({ manager, securityConfig }: TestNode): Promise<JoinTokens> {
  return manager.read((tx) => {
    const tokens = tx.get('cluster', securityConfig.identity.clusterId)?.rootCa?.joinTokens;
    assert(tokens);
    return tokens;
  });
}
