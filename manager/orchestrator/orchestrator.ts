import type { Clock, Timer } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import { type Pacing, Slices } from '../../common/slices.ts';
import type { Startable } from '../../common/startable.ts';
import { Service } from '../../proto/gen/swarm/objects.ts';
import type { Commit, ReadTx, Store, StoreChange } from '../store/types.ts';
import { applyAction } from './apply.ts';
import { isGlobal } from './facts.ts';
import { Plan, type ServiceView } from './plan.ts';
import { reconcileService, removeTasks, ServiceMemory } from './reconcile.ts';
import { concernsNode, concernsTask } from './relevance.ts';

export interface OrchestratorComponents extends Pacing {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const RETRY_MS = 1_000;

/** One service under reconciliation. */
interface Desk {
  readonly memory: ServiceMemory;
  /** Something changed since the last decision. */
  dirty: boolean;
  /** It waits for its turn, or its last decision is on its way into the store. */
  busy: boolean;
  timer: Timer | undefined;
}

/**
 * The leader's loop over services: whatever changes for one is looked at at once, and what has to be
 * done is decided by `reconcileService` on the committed state. A service is decided on again only
 * when the last decision is committed, so that nothing is done twice. There is no event that must
 * not be missed: starting is looking at everything.
 */
export class Orchestrator implements Startable {
  readonly #components: OrchestratorComponents;
  readonly #slices: Slices;
  readonly #desks = new Map<string, Desk>();
  /** Services to be decided on, first come first served, and nodes whose services are. */
  readonly #due = new Set<string>();
  readonly #dueNodes = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  #pumping = false;
  #unsubscribe: () => void = () => undefined;
  #stopped = false;

  constructor(components: OrchestratorComponents) {
    this.#components = components;
    this.#slices = new Slices(components, 'orchestrator');
  }

  async start(): Promise<void> {
    const { store } = this.#components;
    this.#unsubscribe = store.subscribe((commit) => this.#onCommit(commit));
    this.#lookAtAll();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    for (const desk of this.#desks.values()) desk.timer?.cancel();
    await Promise.all(this.#running);
  }

  #lookAtAll(): void {
    const ids = this.#components.store.view((tx) => [
      ...Array.from(tx.all('service'), ({ id }) => id),
      ...Array.from(tx.all('task'), ({ serviceId }) => serviceId),
    ]);
    for (const id of new Set(ids)) this.#mark(id);
    this.#wakePump();
  }

  #onCommit(commit: Commit): void {
    if (commit.restored) this.#lookAtAll();
    for (const change of commit.changes) this.#onChange(change);
    this.#wakePump();
  }

  #onChange(change: StoreChange): void {
    switch (change.kind) {
      case 'service':
        this.#mark(change.object.id);
        break;
      case 'task':
        if (concernsTask(change)) this.#mark(change.object.serviceId);
        break;
      case 'node':
        if (concernsNode(change)) this.#dueNodes.add(change.object.id);
        break;
      default:
    }
  }

  /** Services with a task there, and those that may want one. */
  #onNode(nodeId: string): void {
    const ids = this.#components.store.view((tx) => [
      ...tx.find('task', { nodeId }).map(({ serviceId }) => serviceId),
      ...Array.from(tx.all('service')).flatMap((service) =>
        isGlobal(service) ? [service.id] : [],
      ),
    ]);
    for (const id of new Set(ids)) this.#mark(id);
  }

  #lookAt(serviceId: string): void {
    this.#mark(serviceId);
    this.#wakePump();
  }

  /** It is decided on when the pump gets to it. */
  #mark(serviceId: string): void {
    // Attachments of standalone containers are nobody's replicas.
    if (serviceId === '' || this.#stopped) return;
    const desk = this.#desks.get(serviceId) ?? newDesk();
    this.#desks.set(serviceId, desk);
    desk.dirty = true;
    if (desk.busy) return;
    desk.busy = true;
    this.#due.add(serviceId);
  }

  #wakePump(): void {
    const isDue = this.#due.size > 0 || this.#dueNodes.size > 0;
    if (isDue && !this.#pumping && !this.#stopped) this.#track(this.#pump());
  }

  /** Decides on what is due, at once, but for no longer at a stretch than others can wait. */
  async #pump(): Promise<void> {
    this.#pumping = true;
    if (this.#slices.isUsedUp) this.#slices.begin();
    while (!this.#stopped && this.#step()) {
      if (this.#slices.isUsedUp) await this.#slices.next();
    }
    this.#pumping = false;
  }

  /** False when nothing is due. */
  #step(): boolean {
    const [nodeId] = this.#dueNodes;
    if (nodeId !== undefined) {
      this.#dueNodes.delete(nodeId);
      this.#onNode(nodeId);
      return true;
    }
    const [serviceId] = this.#due;
    if (serviceId === undefined) return false;
    this.#due.delete(serviceId);
    const desk = this.#desks.get(serviceId);
    if (desk) this.#track(this.#reconcile(serviceId, desk));
    return true;
  }

  async #reconcile(serviceId: string, desk: Desk): Promise<void> {
    const { store, clock, logger } = this.#components;
    try {
      desk.dirty = false;
      const plan = store.view((tx) => this.#decide(tx, serviceId, desk));
      if (plan && plan.actions.length > 0) await store.batch(plan.actions, applyAction);
      this.#wakeAt(serviceId, desk, plan?.wakeAt ?? Infinity);
      if (!plan && !desk.dirty) this.#desks.delete(serviceId);
    } catch (error) {
      if (this.#stopped) return;
      logger.warn({ serviceId, err: errorMessage(error) }, 'service not reconciled, trying again');
      this.#wakeAt(serviceId, desk, clock.now() + RETRY_MS);
    }
    desk.busy = false;
    if (desk.dirty) this.#lookAt(serviceId);
  }

  /** `stop` waits for what runs. */
  #track(work: Promise<void>): void {
    const run = work.finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Undefined when nothing is left of the service. */
  #decide(tx: ReadTx, serviceId: string, desk: Desk): Plan | undefined {
    const service = tx.get('service', serviceId);
    const tasks = tx.find('task', { serviceId });
    if (!service && tasks.length === 0) return undefined;
    const view = this.#viewOf(tx, service ?? Service.fromPartial({ id: serviceId }), tasks);
    if (service) return reconcileService(view, desk.memory);
    const plan = new Plan(view);
    removeTasks(plan);
    return plan;
  }

  #viewOf(tx: ReadTx, service: Service, tasks: ServiceView['tasks']): ServiceView {
    const [cluster] = tx.all('cluster');
    return {
      service,
      tasks,
      cluster,
      node: (id) => tx.get('node', id),
      nodes: () => tx.all('node'),
      now: this.#components.clock.now(),
      random: this.#components.random,
    };
  }

  #wakeAt(serviceId: string, desk: Desk, at: number): void {
    const { clock } = this.#components;
    desk.timer?.cancel();
    desk.timer = undefined;
    if (at === Infinity || this.#stopped) return;
    desk.timer = clock.setTimer(Math.max(0, at - clock.now()), () => this.#lookAt(serviceId));
  }
}

function newDesk(): Desk {
  return { memory: new ServiceMemory(), dirty: false, busy: false, timer: undefined };
}
