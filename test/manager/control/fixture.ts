import type { TestContext } from 'node:test';
import { generateJoinToken } from '../../../manager/ca/join-token.ts';
import { createRootCa } from '../../../manager/ca/root-ca.ts';
import type { MemberStatus } from '../../../manager/consensus/types.ts';
import type { ControlContext } from '../../../manager/control/control-context.ts';
import { leaderControl } from '../../../manager/control/leader-control.ts';
import type { MemoryStore } from '../../../manager/store/memory-store.ts';
import type { ControlApi } from '../../../manager/types.ts';
import { Cluster, Network, Node } from '../../../proto/gen/swarm/objects.ts';
import { ClusterSpec, NetworkSpec, ServiceSpec } from '../../../proto/gen/swarm/specs.ts';
import { type NodeRole, NodeState } from '../../../proto/gen/swarm/types.ts';
import { localStore } from '../../support/local-store.ts';
import { noExternalCa } from '../../support/no-external-ca.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

export const CLUSTER_ID = 'cluster1';

export interface Bench {
  readonly control: ControlApi;
  readonly store: MemoryStore;
  readonly context: ControlContext;
  readonly members: MemberStatus[];
}

/** The control operations of a leader on a store of its own, with a cluster and its ingress. */
export async function controlBench(_t?: TestContext): Promise<Bench> {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1));
  const random = seededRandom(1);
  const { store } = localStore(clock);
  const members: MemberStatus[] = [];
  const context: ControlContext = {
    store,
    clock,
    random,
    clusterId: CLUSTER_ID,
    members: { members: () => members, confirmRemoval: async () => undefined },
    external: noExternalCa,
  };
  const control = leaderControl(context);
  const root = await createRootCa(clock.now());
  const token = () => generateJoinToken(root.digest, random);
  await store.update((tx) => {
    const rootCa = {
      caCert: Buffer.from(root.certificatePem),
      caKey: Buffer.from(root.keyPem ?? ''),
      joinTokens: { worker: token(), manager: token() },
    };
    const spec = ClusterSpec.fromPartial({ annotations: { name: 'default' } });
    tx.create('cluster', Cluster.fromPartial({ id: CLUSTER_ID, spec, rootCa }));
  });
  await control.createNetwork(networkSpec('ingress', { ingress: true }));
  return { control, store, context, members };
}

export function networkSpec(
  name: string,
  partial: Parameters<typeof NetworkSpec.fromPartial>[0] = {},
): NetworkSpec {
  return NetworkSpec.fromPartial({ annotations: { name }, ...partial });
}

export function serviceSpec(
  name: string,
  partial: Parameters<typeof ServiceSpec.fromPartial>[0] = {},
): ServiceSpec {
  return ServiceSpec.fromPartial({
    annotations: { name },
    task: { runtime: { $case: 'container', container: { image: 'busybox:latest' } } },
    mode: { $case: 'replicated', replicated: { replicas: 1 } },
    ...partial,
  });
}

export function member(raftId: number, nodeId: string, reachable = true): MemberStatus {
  return {
    raftId,
    nodeId,
    addr: '',
    learner: false,
    leader: false,
    self: raftId === 1,
    reachable,
  };
}

export async function addNode(
  bench: Bench,
  id: string,
  role: NodeRole,
  state = NodeState.READY,
): Promise<Node> {
  const node = Node.fromPartial({
    id,
    role,
    spec: { annotations: {}, desiredRole: role },
    status: { state },
  });
  await bench.store.update((tx) => tx.create('node', node));
  return bench.store.view((tx) => tx.get('node', id)) as Node;
}

export async function addPredefined(bench: Bench, name: string): Promise<void> {
  const labels = { 'com.docker.swarm.predefined': 'true' };
  const network = Network.fromPartial({
    id: `${name}-id`,
    spec: { annotations: { name, labels }, driverConfig: { name } },
  });
  await bench.store.update((tx) => tx.create('network', network));
}
