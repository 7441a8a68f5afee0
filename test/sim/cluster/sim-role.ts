import { ChannelCredentials, Client } from '@grpc/grpc-js';
import { SwarmError } from '../../../common/errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import type { Startable } from '../../../common/startable.ts';
import { Allocator } from '../../../manager/allocator/allocator.ts';
import { callerOf } from '../../../manager/ca/caller.ts';
import { Dispatcher } from '../../../manager/dispatcher/dispatcher.ts';
import { dispatcherService } from '../../../manager/dispatcher/service.ts';
import { leaderProxy } from '../../../manager/leader-proxy.ts';
import { LogBroker } from '../../../manager/logbroker/log-broker.ts';
import { logBrokerService } from '../../../manager/logbroker/service.ts';
import { ManagerStatusKeeper } from '../../../manager/manager-status.ts';
import { ConstraintEnforcer } from '../../../manager/orchestrator/constraint-enforcer.ts';
import { Orchestrator } from '../../../manager/orchestrator/orchestrator.ts';
import { TaskReaper } from '../../../manager/orchestrator/task-reaper.ts';
import { RoleManager } from '../../../manager/role-manager.ts';
import { Scheduler } from '../../../manager/scheduler/scheduler.ts';
import type { WriteTx } from '../../../manager/store/types.ts';
import { DispatcherService } from '../../../proto/gen/swarm/dispatcher.ts';
import { LogBrokerService } from '../../../proto/gen/swarm/logs.ts';
import { Cluster, Network, Node } from '../../../proto/gen/swarm/objects.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import type { SimGrpc } from '../world/grpc.ts';
import { CLUSTER_ID, type ManagerLife } from './sim-manager.ts';

/** Kept per slot beside the one that runs. */
const HISTORY = 3;

/** 61 addresses: they come round again soon, and are enough even with those of a lost node. */
const SUBNET_SIZE = 26;

/** What a leader of the product runs, without the certificate authority. */
export class SimRole implements Startable {
  readonly dispatcher: Dispatcher;
  readonly broker: LogBroker;
  readonly #life: ManagerLife;
  readonly #setUp: (tx: WriteTx) => void;
  readonly #parts: readonly Startable[];
  readonly #started: Startable[] = [];

  constructor(life: ManagerLife, setUp: (tx: WriteTx) => void) {
    this.#life = life;
    this.#setUp = setUp;
    const { store, consensus, process, yieldTurn } = life;
    if (!consensus) throw new Error('a manager that is not open leads');
    const { clock, random } = process;
    const world = { store, clock, random, logger: silentLogger, consensus, yieldTurn };
    this.dispatcher = new Dispatcher(
      { ...world, membership: consensus },
      { nodeId: life.host.name },
    );
    this.broker = new LogBroker(world);
    this.#parts = [
      this.dispatcher,
      this.broker,
      new Allocator(world),
      new Orchestrator(world),
      new TaskReaper(world),
      new ConstraintEnforcer(world),
      new Scheduler(world),
      new ManagerStatusKeeper(world),
      new RoleManager(world),
    ];
  }

  async start(): Promise<void> {
    await this.#life.store.update((tx) => this.#setUp(tx));
    try {
      for (const part of this.#parts) {
        this.#started.push(part);
        await part.start();
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const part of this.#started.splice(0).reverse()) await part.stop();
  }
}

/** What every manager offers to agents; those that do not lead pass it on. */
export function agentServices(life: ManagerLife): Parameters<SimGrpc['listen']>[2] {
  const role = () => {
    const leading = life.leadership.role;
    if (leading instanceof SimRole) return leading;
    throw new SwarmError('SWM_UNAVAILABLE', 'this manager is only just becoming the leader');
  };
  const proxy = {
    isLeader: () => life.consensus?.isLeader ?? false,
    leader: () => leaderClient(life),
    identity: () => ({
      nodeId: life.host.name,
      role: NodeRole.MANAGER,
      clusterId: CLUSTER_ID,
    }),
  };
  const dispatcher = dispatcherService({ dispatcher: () => role().dispatcher, callerOf });
  const broker = logBrokerService({ broker: () => role().broker, callerOf });
  return [
    [DispatcherService, leaderProxy(proxy, DispatcherService, dispatcher)],
    [LogBrokerService, leaderProxy(proxy, LogBrokerService, broker)],
  ];
}

function leaderClient(life: ManagerLife): Client {
  const leader = life.consensus?.leader();
  if (!leader) throw new SwarmError('SWM_NO_LEADER', 'The swarm does not have a leader.');
  return new Client(leader.addr, ChannelCredentials.createInsecure(), life.options);
}

/** The first leader makes the cluster and the nodes that belong to it from the beginning. */
export function setUpCluster(
  tx: WriteTx,
  nodes: { readonly managers: readonly string[]; readonly workers: readonly string[] },
): void {
  if (tx.get('cluster', CLUSTER_ID)) return;
  const spec = {
    annotations: { name: 'default' },
    orchestration: { taskHistoryRetentionLimit: HISTORY },
    dispatcher: { heartbeatPeriod: { seconds: 1 } },
  };
  const pools = { defaultAddressPool: ['10.0.0.0/8'], subnetSize: SUBNET_SIZE };
  tx.create('cluster', Cluster.fromPartial({ id: CLUSTER_ID, ...pools, spec }));
  const ingress = { annotations: { name: 'ingress' }, ingress: true };
  tx.create('network', Network.fromPartial({ id: 'ingress', spec: ingress }));
  for (const id of nodes.managers) tx.create('node', newNode(id, NodeRole.MANAGER));
  for (const id of nodes.workers) tx.create('node', newNode(id, NodeRole.WORKER));
}

export function newNode(id: string, role: NodeRole): Node {
  return Node.fromPartial({ id, role, spec: { desiredRole: role } });
}
