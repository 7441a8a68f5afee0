/**
 * Fills the state directory of a manager that does not run, by transactions of the leader on its own log:
 *
 *   node --import tsx test/bench/support/fill.ts STATE_DIR OBJECTS
 *
 * What it makes is a cluster at rest: allocated networks, services with their tasks running on nodes that
 * nobody waits for, what ended before them, secrets and configs.
 */
import { join } from 'node:path';
import { ChannelCredentials } from '@grpc/grpc-js';
import { systemClock } from '../../../common/clock.ts';
import { newHexId, newId } from '../../../common/ids.ts';
import { silentLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import { allocateNetwork } from '../../../manager/allocator/network.ts';
import { attachNode } from '../../../manager/allocator/node.ts';
import { allocateService } from '../../../manager/allocator/service.ts';
import { allocateTask } from '../../../manager/allocator/task.ts';
import { KeyFile, SecurityConfig } from '../../../manager/ca/index.ts';
import { Consensus } from '../../../manager/consensus/index.ts';
import { keyPath, logDir } from '../../../manager/raft-state.ts';
import { kinds } from '../../../manager/store/kinds.ts';
import { MemoryStore } from '../../../manager/store/memory-store.ts';
import type { WriteTx } from '../../../manager/store/types.ts';
import { Config, Network, Node, Secret, Service, Task } from '../../../proto/gen/swarm/objects.ts';
import { ServiceSpec } from '../../../proto/gen/swarm/specs.ts';
import { NodeRole, NodeState, TaskState, TaskStatus } from '../../../proto/gen/swarm/types.ts';

/** Shares of all objects; the rest are tasks. */
const MIX = { node: 0.002, network: 0.001, service: 0.01, secret: 0.004, config: 0.008 };
/** Of a service's tasks, those that run; the others are its history. */
const RUNNING = 0.8;
/** Nodes over which the services of one network are spread. */
const NODES_OF_NETWORK = 20;
/** Entries from one snapshot to the next, so that the bench can bring one about. */
const SNAPSHOT_INTERVAL = 1_000;
const LABEL = 'bench';

const random = systemRandom;
const [, , stateDir = '', wanted = '100000'] = process.argv;
const total = Number(wanted);

const swarmDir = join(stateDir, 'swarm');
const identity = await SecurityConfig.peek(swarmDir);
const keys = await KeyFile.read({ random }, { path: keyPath(swarmDir) });
if (!identity || !keys) throw new Error(`there is no manager in ${stateDir}`);

let consensus: Consensus | undefined;
const store = new MemoryStore({
  clock: systemClock,
  proposer: {
    propose: (data) => {
      if (!consensus) throw new Error('the log is not open');
      return consensus.propose(data);
    },
  },
});
consensus = await Consensus.open(
  {
    clock: systemClock,
    random,
    logger: silentLogger,
    stateMachine: store,
    keys,
    dial: () => ({ credentials: ChannelCredentials.createInsecure() }),
  },
  // It is the only member, so nobody needs the address.
  { dir: logDir(swarmDir), nodeId: identity.nodeId, addr: '127.0.0.1:1' },
);
// Timers of the log do not keep a process alive.
const alive = setInterval(() => undefined, 1_000);
const leads = new Promise<void>((resolve) => {
  consensus?.onLeadership((isLeader) => isLeader && resolve());
});
await consensus.start();
await leads;

const start = performance.now();
const count = (share: number) => Math.max(1, Math.round(total * share));
const ids = (n: number) => Array.from({ length: n }, () => newId(random));
const networkIds = ids(count(MIX.network));
const nodeIds = ids(count(MIX.node));
const serviceIds = ids(count(MIX.service));
await store.update(quietCluster);
await store.batch(networkIds.entries(), createNetwork);
await store.batch(serviceIds.entries(), createService);
await store.batch(nodeIds.entries(), createNode);
await store.batch(ids(count(MIX.secret)).entries(), (tx, [i, id]) => {
  const spec = { annotations: { name: `secret-${i}` }, data: Buffer.from(random.bytes(256)) };
  tx.create('secret', Secret.fromPartial({ id, spec }));
});
await store.batch(ids(count(MIX.config)).entries(), (tx, [i, id]) => {
  const spec = { annotations: { name: `config-${i}` }, data: Buffer.alloc(1024, `line ${i}\n`) };
  tx.create('config', Config.fromPartial({ id, spec }));
});
await store.batch(tasksToMake(), createTask);
await store.batch(nodeIds, (tx, id) => attachNode(tx, id));

const objects = Object.fromEntries(kinds.map((kind) => [kind, store.view((tx) => tx.count(kind))]));
const ms = Math.round(performance.now() - start);
await consensus.stop();
clearInterval(alive);
console.log(JSON.stringify({ ms, objects, entries: consensus.appliedIndex }));

/** Nodes that never call are not missed for a day, and snapshots come when the bench wants one. */
function quietCluster(tx: WriteTx): void {
  for (const cluster of [...tx.all('cluster')]) {
    const { spec } = cluster;
    if (!spec?.raft) throw new Error('the cluster has no spec');
    const raft = { ...spec.raft, snapshotInterval: SNAPSHOT_INTERVAL };
    const dispatcher = { heartbeatPeriod: { seconds: 86_400, nanos: 0 } };
    tx.update('cluster', { ...cluster, spec: { ...spec, raft, dispatcher } });
  }
}

function createNetwork(tx: WriteTx, [i, id]: [number, string]): void {
  const subnet = `10.${64 + (i >> 4)}.${(i & 15) * 16}.0/20`;
  const network = Network.fromPartial({
    id,
    spec: { annotations: { name: `network-${i}` }, ipam: { configs: [{ subnet }] } },
  });
  tx.create('network', allocateNetwork(tx, network));
}

function createService(tx: WriteTx, [i, id]: [number, string]): void {
  const target = networkIds[i % networkIds.length] as string;
  const service = Service.fromPartial({ id, specVersion: { index: 1 }, spec: specOf(i, target) });
  tx.create('service', allocateService(tx, service));
}

function specOf(i: number, network: string): ServiceSpec {
  const name = `service-${i}`;
  const labels = { 'com.docker.stack.namespace': `stack-${i % 50}`, team: `team-${i % 7}` };
  return ServiceSpec.fromPartial({
    annotations: { name, labels },
    mode: { $case: 'replicated', replicated: { replicas: runningOf(i) } },
    task: {
      runtime: {
        $case: 'container',
        container: {
          image: `registry.example.org/team-${i % 7}/${name}:1.${i}@sha256:${'0123456789abcdef'.repeat(4)}`,
          labels,
          env: ['PORT=8080', 'LOG_LEVEL=info', `DATABASE=postgres://db-${i % 50}/app`],
          healthcheck: { test: ['CMD', 'wget', '-qO-', 'http://127.0.0.1:8080/healthz'] },
        },
      },
      resources: { reservations: { nanoCpus: 1e7, memoryBytes: 16 << 20 } },
      restart: { delay: { seconds: 5 } },
      placement: { constraints: [`node.labels.${LABEL}==true`] },
      networks: [{ target: network, aliases: [name] }],
    },
    update: { parallelism: 1, delay: { seconds: 10 } },
  });
}

function createNode(tx: WriteTx, [i, id]: [number, string]): void {
  const gib = 1024 ** 3;
  const node = Node.fromPartial({
    id,
    role: NodeRole.WORKER,
    spec: { annotations: { labels: { [LABEL]: 'true' } }, desiredRole: NodeRole.WORKER },
    description: {
      hostname: `node-${i}`,
      platform: { os: 'linux', architecture: 'x86_64' },
      resources: { nanoCpus: 64e9, memoryBytes: 256 * gib },
      engine: { engineVersion: '28.2.2' },
    },
    status: { state: NodeState.READY, addr: `192.0.2.${i % 250}` },
  });
  tx.create('node', node);
}

interface TaskToMake {
  readonly service: number;
  /** From 0; those from `runningOf` on are the history of the first slots. */
  readonly n: number;
}

function tasksOf(service: number): number {
  const others = Object.values(MIX).reduce((sum, share) => sum + count(share), 0);
  const tasks = total - others;
  return Math.floor((tasks + service) / serviceIds.length);
}

function runningOf(service: number): number {
  return Math.ceil(tasksOf(service) * RUNNING);
}

function* tasksToMake(): Iterable<TaskToMake> {
  for (const service of serviceIds.keys()) {
    for (let n = 0; n < tasksOf(service); n++) yield { service, n };
  }
}

function createTask(tx: WriteTx, { service: i, n }: TaskToMake): void {
  const service = tx.get('service', serviceIds[i] as string);
  const runs = n < runningOf(i);
  const network = i % networkIds.length;
  const place = network * 2 + (n % Math.min(NODES_OF_NETWORK, nodeIds.length));
  const fresh = {
    ...Task.fromPartial({
      id: newId(random),
      serviceId: service?.id ?? '',
      slot: (n % runningOf(i)) + 1,
      nodeId: nodeIds[place % nodeIds.length] as string,
      desiredState: runs ? TaskState.RUNNING : TaskState.SHUTDOWN,
      specVersion: { index: 1 },
      status: statusOf(runs),
    }),
    spec: service?.spec?.task,
    serviceAnnotations: service?.spec?.annotations,
  };
  tx.create('task', allocateTask(tx, fresh));
}

function statusOf(runs: boolean): TaskStatus {
  const now = new Date();
  return TaskStatus.fromPartial({
    timestamp: now,
    appliedAt: now,
    appliedBy: identity?.nodeId ?? '',
    state: runs ? TaskState.RUNNING : TaskState.SHUTDOWN,
    message: runs ? 'started' : 'shutdown',
    container: {
      containerId: newHexId(random),
      pid: runs ? 1_000 + Math.floor(random.float() * 1e5) : 0,
      exitCode: runs ? 0 : 143,
    },
  });
}
