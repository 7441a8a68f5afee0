import type { Message } from 'raft-ts';
import { randomInt } from '../../../common/random.ts';
import { unlockKeyOf } from '../../../manager/ca/index.ts';
import type { ConsensusInit } from '../../../manager/consensus/index.ts';
import { fromWire } from '../../../manager/consensus/wire.ts';
import type { BootstrapMode } from '../../../manager/manager-init.ts';
import { Node } from '../../../proto/gen/swarm/objects.ts';
import { RaftMessageBatch, RaftService } from '../../../proto/gen/swarm/raft.ts';
import { ClusterSpec, NodeSpec_Availability } from '../../../proto/gen/swarm/specs.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import { RaftOracle } from '../checks/raft-oracle.ts';
import { digestOf, StoreOracle } from '../checks/store-oracle.ts';
import { SimGrpc, type Tapped } from '../world/grpc.ts';
import { SimNetwork } from '../world/network.ts';
import { Violation, type World } from '../world/world.ts';
import type { ManagerLife } from './manager-life.ts';
import { CLUSTER_ID, SimManager } from './sim-manager.ts';
import { SimWorker } from './sim-worker.ts';

export interface SimClusterInit {
  readonly managers: number;
  readonly workers: number;
  /** The largest relative error of a clock. */
  readonly drift: number;
  /** Of Raft, milliseconds; a second is an election timeout in any case. The product's by default. */
  readonly tickMs?: number;
}

/** Snapshots are small, so that a run sees many of them, and so is the history of tasks. */
const SPEC = ClusterSpec.fromPartial({
  annotations: { name: 'default' },
  orchestration: { taskHistoryRetentionLimit: 3 },
  dispatcher: { heartbeatPeriod: { seconds: 1 } },
  raft: { snapshotInterval: 60, logEntriesForSlowFollowers: 15 },
});
/** 61 addresses: they come round again soon, and are enough even with those of a lost node. */
const SUBNET_SIZE = 26;
const BOOTSTRAP: BootstrapMode = {
  type: 'bootstrap',
  spec: SPEC,
  availability: NodeSpec_Availability.ACTIVE,
  defaultAddressPool: [],
  subnetSize: SUBNET_SIZE,
  dataPathPort: 0,
};
const ELECTION_MS = 1_000;
const CLOCK_OFFSET_MS = 2_000;
/** Some are so busy that long work is cut into slices. */
const CPU_MS = [0, 0, 0.05, 0.5];

/** A number of managers, with everything that watches them. */
export class SimCluster {
  readonly world: World;
  readonly network: SimNetwork;
  readonly grpc: SimGrpc;
  readonly raftOracle: RaftOracle;
  readonly storeOracle: StoreOracle;
  readonly managers: SimManager[] = [];
  readonly workers: SimWorker[] = [];
  readonly #drift: number;
  readonly #ticks: Pick<ConsensusInit, 'tickMs' | 'electionTicks'>;
  readonly #byName = new Map<string, SimManager>();
  /** Those that the cluster ever had, the newest first. */
  readonly #unlockKeys: Uint8Array[] = [];

  constructor(components: { readonly world: World }, init: SimClusterInit) {
    const { world } = components;
    this.world = world;
    this.#drift = init.drift;
    const { tickMs } = init;
    this.#ticks = tickMs ? { tickMs, electionTicks: Math.ceil(ELECTION_MS / tickMs) } : {};
    this.network = new SimNetwork({ world });
    this.grpc = new SimGrpc(this.network);
    this.raftOracle = new RaftOracle(world);
    this.storeOracle = new StoreOracle(world);
    this.grpc.tap = (tapped) => this.#onMessage(tapped);
    for (let i = 0; i < init.managers; i++) this.#addManager();
    for (let i = 1; i <= init.workers; i++) this.#addWorker(`n${i}`);
    world.addCheck(() => this.#inspect());
  }

  /** The first manager begins the cluster, the others join it. */
  async boot(): Promise<void> {
    const [first, ...others] = this.managers;
    first!.start(BOOTSTRAP);
    await this.#must('the first manager leads', () => first!.life?.ready ?? false);
    await this.#admit(others, this.workers);
    for (const manager of others) manager.start();
    await this.#must('all managers vote', () => this.#voters() === this.managers.length);
    for (const worker of this.workers) worker.start();
  }

  /** Everything that can fail. */
  get hosts(): readonly (SimManager | SimWorker)[] {
    return [...this.managers, ...this.workers];
  }

  addresses(): readonly string[] {
    return this.managers.filter(({ running }) => running).map(({ addr }) => addr);
  }

  leader(): SimManager | undefined {
    return this.managers
      .filter(({ consensus, running }) => running && consensus?.isLeader)
      .sort((a, b) => b.consensus!.stats().term - a.consensus!.stats().term)[0];
  }

  /** A node is promoted, which then asks to become a member. */
  async join(): Promise<void> {
    const store = this.leader()?.life?.store;
    if (!store) return;
    const manager = this.#addManager();
    // Not to be started before it is a manager.
    manager.removed = true;
    await store.update((tx) => tx.create('node', newNode(manager.name, NodeRole.MANAGER)));
    manager.start({ type: 'join', remotes: this.addresses() });
  }

  /** A manager is demoted, which takes it out of the members. */
  async demote(name: string): Promise<void> {
    await this.leader()?.life?.store.update((tx) => {
      const node = tx.get('node', name);
      if (!node?.spec) return;
      tx.update('node', { ...node, spec: { ...node.spec, desiredRole: NodeRole.WORKER } });
    });
  }

  /** All members hold the same. */
  assertEqual(): void {
    const [first, ...others] = this.managers.flatMap(({ life, running }) =>
      running && life ? [life] : [],
    );
    if (!first) throw new Violation('no manager runs in the end');
    const digest = digestOf(first.store);
    const config = configOf(first);
    for (const life of others) {
      const names = `${life.host.name} and ${first.host.name}`;
      if (digestOf(life.store) !== digest)
        throw new Violation(`${names} end with different states`);
      if (configOf(life) === config) continue;
      throw new Violation(`${names} count votes differently: ${configOf(life)}, ${config}`);
    }
  }

  /** Every member but those that are lost has applied everything, and nobody else runs. */
  isSettled(lost: ReadonlySet<unknown> = new Set()): boolean {
    const leader = this.leader()?.consensus;
    if (!leader) return false;
    const { lastIndex } = leader.stats();
    const members = leader.members();
    const ids = new Set(members.map(({ nodeId }) => nodeId));
    const isLost = (nodeId: string) => lost.has(this.#byName.get(nodeId));
    if (members.some(({ learner, nodeId }) => learner && !isLost(nodeId))) return false;
    if (this.managers.some(({ name, running }) => running && !ids.has(name))) return false;
    return members.every(({ nodeId }) => {
      if (isLost(nodeId)) return true;
      const life = this.#byName.get(nodeId)?.life;
      return life?.ready && life.consensus?.stats().appliedIndex === lastIndex;
    });
  }

  /** Every manager that runs has what is on its disk locked as the cluster says. */
  isLockedAsTold(): boolean {
    const leader = this.leader()?.life;
    const cluster = leader?.store.view((tx) => tx.get('cluster', CLUSTER_ID));
    if (!cluster) return false;
    const key = unlockKeyOf(cluster);
    return this.managers.every((manager) => !manager.running || manager.isLockedWith(key));
  }

  /** Nodes that belong to the cluster from the beginning. */
  async #admit(managers: readonly SimManager[], workers: readonly SimWorker[]): Promise<void> {
    let admitted = false;
    this.leader()!
      .life!.store.update((tx) => {
        for (const { name } of managers) tx.create('node', newNode(name, NodeRole.MANAGER));
        for (const { name } of workers) tx.create('node', newNode(name, NodeRole.WORKER));
      })
      .then(() => {
        admitted = true;
      });
    await this.#must('the nodes are there', () => admitted);
  }

  async #must(what: string, condition: () => boolean): Promise<void> {
    if (await this.world.until(condition, 30_000)) return;
    throw new Violation(`not within 30 s at the start: ${what}`);
  }

  #voters(): number {
    const members = this.leader()?.consensus?.members() ?? [];
    return members.filter(({ learner }) => !learner).length;
  }

  #addManager(): SimManager {
    const { world, grpc } = this;
    const random = world.random();
    const manager = new SimManager(
      {
        world,
        grpc,
        remotes: () => this.addresses(),
        unlockKeys: () => this.#unlockKeys,
        observer: {
          opens: (life) => this.#onOpen(life),
          applied: (life, index, data) => this.raftOracle.applied(life, index, data),
          leads: (life, isLeader) => this.#onLeadership(life, isLeader),
        },
      },
      {
        name: `m${this.managers.length + 1}`,
        clockRate: 1 + (2 * random.float() - 1) * this.#drift,
        cpuMs: CPU_MS[randomInt(random, 0, CPU_MS.length - 1)]!,
        clockOffset: (2 * random.float() - 1) * CLOCK_OFFSET_MS,
        raft: this.#ticks,
      },
    );
    this.managers.push(manager);
    this.#byName.set(manager.name, manager);
    return manager;
  }

  #addWorker(name: string): void {
    const { world, grpc } = this;
    const clockRate = 1 + (2 * world.random().float() - 1) * this.#drift;
    const managers = this.managers.map(({ addr }) => addr);
    this.workers.push(new SimWorker({ world, grpc }, { name, clockRate, managers }));
  }

  #onOpen(life: ManagerLife): void {
    this.storeOracle.follow(life);
    life.store.subscribe(({ changes, restored }) => {
      if (restored || changes.some(({ kind }) => kind === 'cluster')) this.#noteUnlockKey(life);
    });
  }

  /** Users are told of it before anything is locked with it. */
  #noteUnlockKey({ store }: ManagerLife): void {
    const cluster = store.view((tx) => tx.get('cluster', CLUSTER_ID));
    const key = cluster && unlockKeyOf(cluster);
    if (!key || this.#unlockKeys.some((known) => Buffer.compare(known, key) === 0)) return;
    this.#unlockKeys.unshift(key);
  }

  #onLeadership(life: ManagerLife, isLeader: boolean): void {
    const stats = life.consensus?.stats();
    const details = `${isLeader ? 'leads' : 'leads no longer'}, term ${stats?.term}, applied ${stats?.appliedIndex}`;
    this.world.log(life.host.name, 'leader', details);
    if (isLeader) this.raftOracle.elected(life);
  }

  #onMessage({ from, to, method, message }: Tapped): void {
    const { world } = this;
    if (method !== RaftService.streamMessages.path) {
      const name = method.slice(method.lastIndexOf('/') + 1);
      world.log(from, 'call', `${to} ${name} ${message.length} bytes`);
      return;
    }
    for (const wire of RaftMessageBatch.decode(message).messages) {
      const raft = fromWire(wire);
      if (!raft) continue;
      world.log(from, 'raft', `${to} ${describe(raft)}`);
      this.raftOracle.sent(this.#byName.get(from)!, raft);
    }
  }

  #inspect(): void {
    const { touched } = this.world;
    for (const { life } of this.managers) {
      if (life && touched.has(life.process)) this.raftOracle.inspect(life);
    }
  }
}

function newNode(id: string, role: NodeRole): Node {
  return Node.fromPartial({ id, role, spec: { desiredRole: role } });
}

/** The members as the core counts them, and as everybody else knows them. */
function configOf({ consensus }: ManagerLife): string {
  return `${consensus?.describe().split('\n')[1]} ${JSON.stringify(consensus?.membership())}`;
}

/** `type term log-term/index +entries commit reject` */
function describe({ type, term, logTerm, index, entries, commit, reject }: Message): string {
  const parts = [`t${type}`, `@${term}`, `${logTerm}/${index}`, `+${entries.length}`, `c${commit}`];
  return parts.join(' ') + (reject ? ' reject' : '');
}
