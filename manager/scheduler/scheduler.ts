import { type Clock, sleep } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import { type Logger, silentLogger } from '../../common/logger.ts';
import { type Pacing, Slices } from '../../common/slices.ts';
import type { Startable } from '../../common/startable.ts';
import { TriggerLoop } from '../../common/trigger-loop.ts';
import type { NodeRejection, Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState, type TaskStatus } from '../../proto/gen/swarm/types.ts';
import { attachNode, isAttachedFor } from '../allocator/node.ts';
import type { Commit, Store, WriteTx } from '../store/types.ts';
import { ClusterState, type Group } from './cluster-state.ts';
import { filterContext } from './context.ts';
import { takesTask } from './filters/ready.ts';
import { type Assignment, assignedTo, confirm, type Explanation, schedule } from './schedule.ts';

const ASSIGNED = 'scheduler assigned task to node';
const CONFIRMED = 'scheduler confirmed task can run on preassigned node';
const OBSOLETE = 'task was shut down before it was scheduled';

/** The first change is acted on at once; those that follow within this time wait for each other. */
const DEBOUNCE_MS = 10;
/** Tasks of one group that are placed in one go. */
const SLICE_TASKS = 500;
/** Rejections that are kept on a task; on a large cluster, `explainTask` has them all. */
const MAX_REJECTIONS = 20;
/** Before everything is looked at again, after a write failed. */
const RETRY_MS = 1000;

export interface SchedulerComponents extends Pacing {
  readonly store: Store;
  readonly logger?: Logger;
}

/**
 * The leader's loop that gives tasks a node: PENDING to ASSIGNED. It decides on its own picture of
 * the cluster; each decision is checked against the store in the transaction that writes it.
 */
export class Scheduler implements Startable {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pacing: Pacing;
  readonly #state = new ClusterState();
  readonly #loop: TriggerLoop;
  #mustLoad = true;
  #unsubscribe: () => void = () => {};

  constructor(components: SchedulerComponents) {
    this.#store = components.store;
    this.#clock = components.clock;
    this.#logger = components.logger ?? silentLogger;
    this.#pacing = components;
    this.#loop = new TriggerLoop(
      { clock: this.#clock },
      {
        act: (signal) => this.#act(signal),
        retryMs: RETRY_MS,
        onFailure: (error) => this.#onFailure(error),
      },
    );
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#store.subscribe((commit) => this.#onCommit(commit));
    await this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#loop.stop();
  }

  #onCommit(commit: Commit): void {
    this.#state.note(commit);
    this.#mustLoad ||= commit.restored;
    if (this.#mustLoad || this.#state.hasWork) this.#loop.fire();
  }

  async #act(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (this.#mustLoad || this.#state.hasWork)) {
      if (this.#mustLoad) await this.#load();
      if (!this.#state.hasWork) continue;
      await this.#tick();
      await sleep(this.#clock, DEBOUNCE_MS, signal);
    }
  }

  #onFailure(error: unknown): void {
    this.#logger.warn({ err: errorMessage(error) }, 'scheduling failed, trying again');
    this.#mustLoad = true;
  }

  async #load(): Promise<void> {
    this.#mustLoad = false;
    const slices = new Slices(this.#pacing, 'scheduler: load');
    for (const _ of this.#state.load((read) => this.#store.view(read))) {
      if (slices.isUsedUp) await slices.next();
    }
  }

  async #tick(): Promise<void> {
    const round = new Round(this.#pacing);
    const context = filterContext((read) => this.#store.view(read));
    await this.#store.batch(this.#state.takeObsolete(), (tx, id) => this.#retire(tx, id));
    const groups = this.#state.takeGroups();
    const pinned = this.#state.takePinned();
    for (const task of pinned) {
      const result = confirm(this.#state.nodes.get(task.nodeId), task, context);
      if ('summary' in result) round.explain([task], result);
      else this.#decide(round, [result]);
      if (round.isFull) await this.#write(round);
    }
    for (const group of groups) {
      for (let isPlaced = true; isPlaced && group.size > 0; ) {
        const { assigned, explanation } = this.#place(group, context);
        this.#decide(round, assigned);
        if (explanation) round.explain(group.values(), explanation);
        isPlaced = explanation === undefined;
        if (round.isFull) await this.#write(round);
      }
    }
    await this.#write(round);
  }

  #place(group: Group, context: Parameters<typeof schedule>[2]) {
    const tasks: Task[] = [];
    for (const task of group.values()) {
      if (tasks.push(task) === SLICE_TASKS) break;
    }
    return schedule([...this.#state.nodes.values()], tasks, context, this.#clock.now());
  }

  #decide(round: Round, assignments: readonly Assignment[]): void {
    for (const assignment of assignments) {
      this.#state.decided(assignment.task.id, assignment.info);
      round.assignments.push(assignment);
    }
  }

  /** Writes what was decided so far, and begins the next slice. */
  async #write(round: Round): Promise<void> {
    const assignments = round.assignments.splice(0);
    const explanations = round.explanations.splice(0);
    const refused = new Map<string, Refusal>();
    await Promise.all([
      this.#store.batch(assignments, (tx, assignment) => {
        const refusal = this.#assign(tx, assignment);
        if (refusal) refused.set(assignment.task.id, refusal);
        else refused.delete(assignment.task.id);
      }),
      this.#store.batch(explanations, (tx, [id, why]) => this.#explain(tx, id, why)),
    ]);
    for (const { task } of assignments) {
      const refusal = refused.get(task.id);
      if (refusal) this.#state.refused(task.id, refusal.current, refusal.tryAtOnce);
      else this.#state.committed(task.id);
    }
    await round.next();
  }

  #assign(tx: WriteTx, { task, info, genericResources }: Assignment): Refusal | undefined {
    const current = tx.get('task', task.id);
    if (!current || !isWaiting(current)) return { current, tryAtOnce: true };
    const node = tx.get('node', info.node.id);
    if (!node || !takesTask(node, current)) return { current, tryAtOnce: true };
    try {
      if (!isAttachedFor(node, current)) attachNode(tx, node.id, [current]);
    } catch (error) {
      tx.update('task', this.#withStatus(current, { err: errorMessage(error) }));
      return { current: tx.get('task', task.id), tryAtOnce: false };
    }
    const message = current.nodeId ? CONFIRMED : ASSIGNED;
    const assigned = assignedTo(current, node.id, genericResources);
    tx.update('task', { ...this.#withStatus(assigned, { message, err: '' }), rejections: [] });
    return undefined;
  }

  #explain(tx: WriteTx, id: string, { summary, rejections }: Explanation): void {
    const task = tx.get('task', id);
    if (!task || !isWaiting(task) || task.status?.err === summary) return;
    const kept = representatives(rejections);
    tx.update('task', { ...this.#withStatus(task, { err: summary }), rejections: kept });
  }

  #retire(tx: WriteTx, id: string): void {
    const task = tx.get('task', id);
    if (task?.status?.state !== TaskState.PENDING) return;
    if (task.desiredState !== TaskState.SHUTDOWN) return;
    const change = { state: TaskState.SHUTDOWN, message: OBSOLETE, err: '' };
    tx.update('task', this.#withStatus(task, change));
  }

  #withStatus(task: Task, change: Partial<TaskStatus>): Task {
    const timestamp = new Date(this.#clock.now());
    const status = task.status as TaskStatus;
    return { ...task, status: { ...status, ...change, timestamp } };
  }
}

/** A decision that the store did not take, and what is there instead. */
interface Refusal {
  readonly current: Task | undefined;
  /** Whether another node may do. */
  readonly tryAtOnce: boolean;
}

/** What one pass over the waiting tasks has decided and not written yet. */
class Round {
  readonly assignments: Assignment[] = [];
  readonly explanations: [taskId: string, Explanation][] = [];
  readonly #slices: Slices;

  constructor(pacing: Pacing) {
    this.#slices = new Slices(pacing, 'scheduler: decide');
  }

  get isFull(): boolean {
    return this.#slices.isUsedUp || this.assignments.length >= SLICE_TASKS;
  }

  next(): Promise<void> {
    return this.#slices.next();
  }

  /** Tasks that say the same already are left alone. */
  explain(tasks: Iterable<Task>, explanation: Explanation): void {
    for (const { id, status } of tasks) {
      if (status?.err !== explanation.summary) this.explanations.push([id, explanation]);
    }
  }
}

function isWaiting({ status, desiredState }: Task): boolean {
  return status?.state === TaskState.PENDING && desiredState <= TaskState.COMPLETE;
}

/** Some rejections of each filter, in turn, so that the rare ones are not lost among the many. */
function representatives(rejections: readonly NodeRejection[]): NodeRejection[] {
  const byFilter = Object.values(groupByFilter(rejections));
  const kept: NodeRejection[] = [];
  for (let row = 0; kept.length < Math.min(MAX_REJECTIONS, rejections.length); row += 1) {
    for (const list of byFilter) {
      const rejection = list[row];
      if (rejection && kept.length < MAX_REJECTIONS) kept.push(rejection);
    }
  }
  return kept;
}

function groupByFilter(rejections: readonly NodeRejection[]): Record<string, NodeRejection[]> {
  const groups: Record<string, NodeRejection[]> = {};
  for (const rejection of rejections) {
    groups[rejection.filter] ??= [];
    groups[rejection.filter]?.push(rejection);
  }
  return groups;
}
