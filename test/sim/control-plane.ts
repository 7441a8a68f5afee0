import { silentLogger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { Startable } from '../../common/startable.ts';
import { Allocator } from '../../manager/allocator/allocator.ts';
import { Dispatcher } from '../../manager/dispatcher/dispatcher.ts';
import { LogBroker } from '../../manager/logbroker/log-broker.ts';
import { ConstraintEnforcer } from '../../manager/orchestrator/constraint-enforcer.ts';
import { Orchestrator } from '../../manager/orchestrator/orchestrator.ts';
import { TaskReaper } from '../../manager/orchestrator/task-reaper.ts';
import { Scheduler } from '../../manager/scheduler/scheduler.ts';
import type { MemoryStore } from '../../manager/store/memory-store.ts';
import type { StoreChange } from '../../manager/store/types.ts';
import { Cluster, Network, Node } from '../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../proto/gen/swarm/types.ts';
import { localStore } from '../support/local-store.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { SimNode } from './sim-node.ts';
import { assertLegal } from './task-invariants.ts';

/**
 * A leader with all its parts and a number of real agents over engines in memory, on virtual time:
 * everything but Raft, the wire and the kernel.
 */
export class ControlPlane {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly store: MemoryStore;
  readonly nodes: SimNode[] = [];
  dispatcher!: Dispatcher;
  broker!: LogBroker;
  #parts: Startable[] = [];
  #violation: unknown;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.store = localStore(this.clock).store;
    this.store.subscribe(({ changes }) => {
      for (const change of changes) if (change.kind === 'task') this.#check(change);
    });
  }

  static async start(nodes: number, seed = 1): Promise<ControlPlane> {
    const plane = new ControlPlane(seed);
    await plane.store.update((tx) => {
      tx.create(
        'cluster',
        Cluster.fromPartial({
          id: 'cluster',
          defaultAddressPool: ['10.0.0.0/8'],
          subnetSize: 24,
          spec: {
            annotations: { name: 'default' },
            orchestration: { taskHistoryRetentionLimit: 5 },
          },
        }),
      );
      const ingress = { annotations: { name: 'ingress' }, ingress: true };
      tx.create('network', Network.fromPartial({ id: 'ingress', spec: ingress }));
    });
    await plane.#lead();
    for (let i = 1; i <= nodes; i++) await plane.addNode(`n${i}`);
    await plane.run(100);
    return plane;
  }

  /** Throws when a task went where none may go. */
  async stop(): Promise<void> {
    for (const node of this.nodes) await this.during(node.stop());
    for (const part of this.#parts.reverse()) await this.during(part.stop());
    if (this.#violation) throw this.#violation;
  }

  /** Lets time pass until `work` is done. */
  async during<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const mark = () => {
      done = true;
    };
    work.then(mark, mark);
    await this.clock.until(() => done, 60_000, 10);
    return work;
  }

  async addNode(id: string): Promise<SimNode> {
    await this.store.update((tx) => tx.create('node', Node.fromPartial({ id, spec: {} })));
    const { clock } = this;
    const node = new SimNode(
      { clock, random: this.random, dispatcher: () => this.dispatcher, broker: () => this.broker },
      { id },
    );
    this.nodes.push(node);
    await node.start();
    return node;
  }

  /** The leader goes away, and another one has taken over `afterMs` later. */
  async newLeader(afterMs = 1_000): Promise<void> {
    for (const part of this.#parts.reverse()) await this.during(part.stop());
    await this.run(afterMs);
    await this.#lead();
  }

  run(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  until(condition: () => boolean, limitMs: number): Promise<number> {
    return this.clock.until(condition, limitMs, 10);
  }

  /** Tasks of the service that the store has running, and wants so. */
  running(serviceId: string): number {
    const tasks = this.store.view((tx) => tx.find('task', { serviceId }));
    return tasks.filter(
      ({ status, desiredState }) =>
        status?.state === TaskState.RUNNING && desiredState === TaskState.RUNNING,
    ).length;
  }

  /** Containers of the service that really run. */
  containers(serviceId: string): number {
    return this.nodes.reduce((sum, node) => sum + node.containersOf(serviceId), 0);
  }

  /** A listener must not throw: what it found is thrown at the end. */
  #check(change: StoreChange & { kind: 'task' }): void {
    try {
      assertLegal(change);
    } catch (error) {
      this.#violation ??= error;
    }
  }

  async #lead(): Promise<void> {
    const world = {
      store: this.store,
      clock: this.clock,
      random: this.random,
      logger: silentLogger,
    };
    const membership = { members: () => [], onMembers: () => () => undefined };
    this.dispatcher = new Dispatcher({ ...world, membership }, { nodeId: 'manager' });
    this.broker = new LogBroker(world);
    this.#parts = [
      this.dispatcher,
      this.broker,
      new Allocator(world),
      new Orchestrator(world),
      new TaskReaper(world),
      new ConstraintEnforcer(world),
      new Scheduler(world),
    ];
    for (const part of this.#parts) await part.start();
  }
}
