import { silentLogger } from '../../../common/logger.ts';
import { Orchestrator } from '../../../manager/orchestrator/orchestrator.ts';
import { TaskReaper } from '../../../manager/orchestrator/task-reaper.ts';
import type { MemoryStore } from '../../../manager/store/memory-store.ts';
import type { Commit, WriteTx } from '../../../manager/store/types.ts';
import { Cluster, Node, Service, type Task } from '../../../proto/gen/swarm/objects.ts';
import {
  NodeSpec_Availability as Availability,
  type ServiceSpec,
} from '../../../proto/gen/swarm/specs.ts';
import { NodeState, TaskState, TaskStatus } from '../../../proto/gen/swarm/types.ts';
import type { LocalProposer } from '../../support/local-proposer.ts';
import { localStore } from '../../support/local-store.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { settle, VirtualClock } from '../../support/virtual-clock.ts';

/** How the tasks of an image behave: what becomes of them, and after how long. */
export interface Behaviour {
  /** The state that a start leads to, and how long after. */
  readonly start?: { readonly state: TaskState; readonly afterMs: number };
  /** What happens to a running task by itself. */
  readonly end?: { readonly state: TaskState; readonly afterMs: number };
  readonly stopMs?: number;
}

const RUNS: Required<Pick<Behaviour, 'start' | 'stopMs'>> = {
  start: { state: TaskState.RUNNING, afterMs: 100 },
  stopMs: 100,
};

/**
 * The orchestrator and the reaper as they are, with the other owners of a task's life played: an
 * allocator and a scheduler that act at once, and agents that do what the images say.
 */
export class ClusterSim {
  readonly clock = new VirtualClock();
  readonly store: MemoryStore;
  readonly proposer: LocalProposer;
  readonly behaviours: Record<string, Behaviour> = {};
  /** Transactions that created tasks. */
  creatingCommits = 0;
  /** Every transition that was seen. */
  readonly transitions: { taskId: string; from: TaskState; to: TaskState }[] = [];
  orchestrator: Orchestrator;
  reaper: TaskReaper;
  #seed = 1;

  constructor() {
    const { store, proposer } = localStore(this.clock);
    this.store = store;
    this.proposer = proposer;
    this.orchestrator = this.#newOrchestrator();
    this.reaper = this.#newReaper();
    store.subscribe((commit) => this.#onCommit(commit));
  }

  static async start(nodeIds: readonly string[]): Promise<ClusterSim> {
    const sim = new ClusterSim();
    await sim.store.update((tx) => {
      tx.create(
        'cluster',
        Cluster.fromPartial({
          id: 'cluster',
          spec: { orchestration: { taskHistoryRetentionLimit: 5 } },
        }),
      );
    });
    for (const id of nodeIds) await sim.addNode(id);
    await sim.orchestrator.start();
    await sim.reaper.start();
    return sim;
  }

  async stop(): Promise<void> {
    await this.orchestrator.stop();
    await this.reaper.stop();
  }

  async addNode(id: string, labels: Record<string, string> = {}): Promise<void> {
    const spec = { annotations: { labels } };
    const node = Node.fromPartial({ id, spec, status: { state: NodeState.READY } });
    await this.store.update((tx) => tx.create('node', node));
    await this.run(0);
  }

  async setNode(id: string, state: NodeState, availability = Availability.ACTIVE): Promise<void> {
    await this.store.update((tx) => {
      const node = tx.get('node', id) as Node;
      const spec = { ...(node.spec as NonNullable<Node['spec']>), availability };
      tx.update('node', { ...node, spec, status: { state, message: '', addr: '' } });
    });
    await this.run(0);
  }

  async create(id: string, spec: Parameters<typeof Service.fromPartial>[0]['spec']): Promise<void> {
    const service = Service.fromPartial({ id, spec, specVersion: { index: 0 } });
    await this.store.update((tx) => tx.create('service', service));
    await this.run(0);
  }

  /** As the control API does it. */
  async updateService(id: string, change: (spec: ServiceSpec) => ServiceSpec): Promise<void> {
    await this.store.update((tx) => {
      const service = tx.get('service', id) as Service;
      tx.update('service', {
        ...service,
        spec: change(service.spec as ServiceSpec),
        specVersion: service.meta?.version,
        previousSpec: service.spec,
        previousSpecVersion: service.specVersion,
        updateStatus: undefined,
      });
    });
    await this.run(0);
  }

  async remove(id: string): Promise<void> {
    await this.store.update((tx) => tx.remove('service', id));
    await this.run(0);
  }

  service(id: string): Service {
    return this.store.view((tx) => tx.get('service', id)) as Service;
  }

  tasks(serviceId: string): readonly Task[] {
    return this.store.view((tx) => tx.find('task', { serviceId }));
  }

  running(serviceId: string): Task[] {
    return this.tasks(serviceId).filter(
      (task) => task.status?.state === TaskState.RUNNING && task.desiredState === TaskState.RUNNING,
    );
  }

  /** All tasks of the store, once they have settled. */
  run(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  until(condition: () => boolean, limitMs = 60_000): Promise<number> {
    return this.clock.until(condition, limitMs, 50);
  }

  /** Another leader takes over: what was in memory is lost. */
  async newLeader(): Promise<void> {
    await this.stop();
    this.orchestrator = this.#newOrchestrator();
    this.reaper = this.#newReaper();
    await this.orchestrator.start();
    await this.reaper.start();
    await settle();
  }

  #newOrchestrator(): Orchestrator {
    const { store, clock } = this;
    const random = seededRandom(this.#seed++);
    return new Orchestrator({ store, clock, random, logger: silentLogger });
  }

  #newReaper(): TaskReaper {
    return new TaskReaper({ store: this.store, clock: this.clock, logger: silentLogger });
  }

  #onCommit(commit: Commit): void {
    for (const change of commit.changes) {
      if (change.kind !== 'task') continue;
      if (change.type === 'remove') continue;
      if (change.type === 'update') this.#note(change.old, change.object);
      this.#play(change.object.id);
    }
    if (commit.changes.some(({ kind, type }) => kind === 'task' && type === 'create')) {
      this.creatingCommits++;
    }
  }

  #note(old: Task, task: Task): void {
    const from = old.status?.state ?? TaskState.NEW;
    const to = task.status?.state ?? TaskState.NEW;
    if (from !== to) this.transitions.push({ taskId: task.id, from, to });
  }

  /** What its owners do next about a task. */
  #play(id: string): void {
    const task = this.store.view((tx) => tx.get('task', id));
    if (!task) return;
    const state = task.status?.state ?? TaskState.NEW;
    if (state > TaskState.RUNNING) return;
    if (state < TaskState.ASSIGNED) {
      if (task.desiredState <= TaskState.COMPLETE) this.#schedule(id);
    } else this.#act(task, state);
  }

  #schedule(id: string): void {
    this.#write(id, 0, (tx, task) => {
      if (task.desiredState > TaskState.COMPLETE) return undefined;
      const nodeId = task.nodeId || this.#emptiestNode(tx, task);
      return nodeId ? { nodeId, state: TaskState.ASSIGNED } : undefined;
    });
  }

  /** The fewest tasks of the service, then the fewest tasks; ties by id. */
  #emptiestNode(tx: WriteTx, task: Task): string | undefined {
    const load = (nodeId: string, serviceId?: string) =>
      tx
        .find('task', { nodeId })
        .filter((other) => (serviceId ? other.serviceId === serviceId : true))
        .filter((other) => other.desiredState <= TaskState.COMPLETE).length;
    const ready = [...tx.all('node')].filter(
      ({ status, spec }) =>
        status?.state === NodeState.READY && spec?.availability === Availability.ACTIVE,
    );
    ready.sort(
      (a, b) =>
        load(a.id, task.serviceId) - load(b.id, task.serviceId) ||
        load(a.id) - load(b.id) ||
        (a.id < b.id ? -1 : 1),
    );
    return ready[0]?.id;
  }

  #act(task: Task, state: TaskState): void {
    const node = this.store.view((tx) => tx.get('node', task.nodeId));
    if (node?.status?.state !== NodeState.READY) return;
    const behaviour = this.behaviourOf(task);
    if (task.desiredState > TaskState.COMPLETE) {
      this.#write(task.id, behaviour.stopMs ?? RUNS.stopMs, () => ({ state: TaskState.SHUTDOWN }));
    } else if (state === TaskState.ASSIGNED) {
      this.#write(task.id, 10, () => ({ state: TaskState.READY }));
    } else if (state === TaskState.READY && task.desiredState >= TaskState.RUNNING) {
      const { state: next, afterMs } = behaviour.start ?? RUNS.start;
      this.#write(task.id, afterMs, () => ({ state: next }));
    } else if (state === TaskState.RUNNING && behaviour.end) {
      const { end } = behaviour;
      this.#write(task.id, end.afterMs, () => ({ state: end.state }));
    }
  }

  behaviourOf(task: Task): Behaviour {
    const runtime = task.spec?.runtime;
    const image = runtime?.$case === 'container' ? runtime.container.image : '';
    return this.behaviours[image] ?? RUNS;
  }

  #write(
    id: string,
    afterMs: number,
    decide: (tx: WriteTx, task: Task) => { state: TaskState; nodeId?: string } | undefined,
  ): void {
    const write = () =>
      this.store
        .update((tx) => {
          const task = tx.get('task', id);
          if (!task) return;
          const next = decide(tx, task);
          if (!next || next.state <= (task.status?.state ?? TaskState.NEW)) return;
          const node = tx.get('node', next.nodeId ?? task.nodeId);
          if (node?.status?.state !== NodeState.READY) return;
          const now = new Date(this.clock.now());
          const status = TaskStatus.fromPartial({
            state: next.state,
            timestamp: now,
            appliedAt: now,
          });
          tx.update('task', { ...task, nodeId: node.id, status });
        })
        .catch(() => undefined);
    if (afterMs === 0) queueMicrotask(write);
    else this.clock.setTimer(afterMs, write);
  }

  /** Nodes that came back, and tasks that no node was found for, are played again. */
  replay(): void {
    for (const { id } of this.store.view((tx) => [...tx.all('task')])) this.#play(id);
  }
}
