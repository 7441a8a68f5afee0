import { isDeepStrictEqual } from 'node:util';
import { type Clock, sleep, type Timer } from '../../common/clock.ts';
import { durationMs, msToDuration } from '../../common/duration.ts';
import { errorMessage, SwarmError } from '../../common/errors.ts';
import { newId } from '../../common/ids.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { Pacing } from '../../common/slices.ts';
import type { Startable } from '../../common/startable.ts';
import { nextTurn } from '../../common/turns.ts';
import {
  type AssignmentsMessage,
  AssignmentsMessage_Type,
  type HeartbeatResponse,
  type SessionMessage,
  type SessionRequest,
  type TaskStatusUpdate,
} from '../../proto/gen/swarm/dispatcher.ts';
import type { Node, Task } from '../../proto/gen/swarm/objects.ts';
import { NodeState } from '../../proto/gen/swarm/types.ts';
import type { ConsensusApi } from '../consensus/types.ts';
import type { Commit, Store, StoreChange } from '../store/types.ts';
import { AssignmentSet, belongsTo } from './assignment-set.ts';
import {
  ASSIGNMENT_BATCH_MAX,
  ASSIGNMENT_BATCH_MS,
  DEFAULT_HEARTBEAT_PERIOD_MS,
  SESSION_BATCH_MS,
  SHARED_BATCH_MAX_MS,
  SHARED_BATCH_MS,
} from './constants.ts';
import { Liveness } from './liveness.ts';
import { nodeOf, registerNode, setNodeState } from './node-records.ts';
import { OrphanTimers } from './orphan-timers.ts';
import { RegistrationLimit } from './rate-limit.ts';
import { Session } from './session.ts';
import {
  concernsAll,
  type SharedContent,
  sameToItself,
  sharedContent,
  theCluster,
} from './session-message.ts';
import { StatusQueue } from './status-queue.ts';

/** Who calls, from its certificate, and from where. */
export interface Caller {
  readonly nodeId: string;
  /** IP without port; '' when it is not known. */
  readonly addr: string;
}

/** What the gossip of this manager's node says of the life of the others. */
export interface GossipOpinion {
  members(): readonly { readonly nodeId: string; readonly alive: boolean }[];
  onMembers(listener: (nodeId: string, alive: boolean) => void): () => void;
}

export interface DispatcherComponents extends Pacing {
  readonly store: Store;
  readonly membership: Pick<ConsensusApi, 'members' | 'onMembers'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Without it, silence alone tells that a node is dead. */
  readonly gossip?: GossipOpinion;
}

export interface DispatcherInit {
  /** This manager's node id, shown as `applied_by` of task statuses. */
  readonly nodeId: string;
}

/**
 * The leader's end of the conversation with the agents: every node that registered gets what it is to
 * run, and what it reports reaches the store. One life per leadership: `start` when the manager
 * begins to lead, `stop` when it ends.
 */
export class Dispatcher implements Startable {
  readonly #components: DispatcherComponents;
  readonly #liveness: Liveness;
  readonly #nodeId: string;
  readonly #limit = new RegistrationLimit();
  readonly #statuses: StatusQueue;
  readonly #sessions = new Map<string, Session>();
  readonly #orphans: OrphanTimers;
  #shared: SharedContent | undefined;
  #refreshing: Timer | undefined;
  #unsubscribe: (() => void)[] = [];
  #running = false;

  constructor(components: DispatcherComponents, init: DispatcherInit) {
    this.#components = components;
    this.#nodeId = init.nodeId;
    this.#orphans = new OrphanTimers(components);
    this.#statuses = new StatusQueue(components, { appliedBy: init.nodeId });
    this.#liveness = new Liveness({
      clock: components.clock,
      random: components.random,
      period: () => this.#heartbeatPeriod(),
      onDead: (nodeId) => this.#nodeFailed(nodeId),
    });
  }

  /** Resolves when every node that was not down is marked unknown, and expected to register. */
  async start(): Promise<void> {
    const { store, membership } = this.#components;
    this.#unsubscribe = [
      store.subscribe((commit) => this.#onCommit(commit)),
      membership.onMembers(() => this.#refreshLater()),
    ];
    this.#running = true;
    this.#listenToGossip();
    const nodes = store.view((tx) => [...tx.all('node')]);
    for (const node of nodes) {
      if (node.status?.state === NodeState.DOWN) this.#orphans.schedule(node);
      else this.#liveness.expect(node.id);
    }
    await store.batch(nodes, (tx, { id }) => {
      // Those that registered meanwhile are known.
      const state = tx.get('node', id)?.status?.state;
      if (state === NodeState.DOWN || this.#sessions.has(id)) return;
      setNodeState(tx, id, NodeState.UNKNOWN, UNKNOWN_MESSAGE, this.#now());
    });
  }

  async stop(): Promise<void> {
    this.#running = false;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#refreshing?.cancel();
    this.#liveness.stop();
    this.#statuses.stop();
    this.#orphans.stop();
    for (const session of this.#sessions.values()) session.end(stoppedError());
    this.#sessions.clear();
  }

  /**
   * Registers the caller's node and tells it about the cluster, first at once and then whenever that
   * changes. Throws SWM_NOT_FOUND for a node that is not in the cluster, SWM_UNAVAILABLE when the
   * dispatcher stops, the node registers anew, or too often.
   */
  async *session(
    caller: Caller,
    request: SessionRequest,
    signal: AbortSignal,
  ): AsyncGenerator<SessionMessage> {
    const session = await this.#register(caller, request);
    const { clock, store } = this.#components;
    const ended = AbortSignal.any([signal, session.signal]);
    let told: { node: Node | undefined; shared: SharedContent } | undefined;
    for (;;) {
      const node = store.view((tx) => tx.get('node', caller.nodeId));
      const shared = this.#shared ?? this.#refresh();
      if (!told || told.shared !== shared || !sameToItself(told.node, node)) {
        told = { node, shared };
        yield { ...shared, node, sessionId: session.id };
      }
      await session.contentChanged.wait(ended);
      await sleep(clock, SESSION_BATCH_MS, ended);
    }
  }

  /** Returns when the next beat is due. Throws SWM_NOT_FOUND `node not registered`. */
  heartbeat(caller: Caller, sessionId: string): HeartbeatResponse {
    const session = this.#require(caller, sessionId);
    return { period: msToDuration(this.#liveness.beat(session.nodeId)) };
  }

  /** Resolves once the statuses are committed. Throws SWM_PERMISSION_DENIED for others' tasks. */
  async updateTaskStatus(
    caller: Caller,
    sessionId: string,
    updates: readonly TaskStatusUpdate[],
  ): Promise<void> {
    this.#require(caller, sessionId);
    this.#components.store.view((tx) => {
      for (const { taskId } of updates) refuseForeign(tx.get('task', taskId), caller);
    });
    await this.#statuses.add(updates);
  }

  /** All assignments of the caller's node, then their changes. */
  async *assignments(
    caller: Caller,
    sessionId: string,
    signal: AbortSignal,
  ): AsyncGenerator<AssignmentsMessage> {
    const session = this.#require(caller, sessionId);
    const { store, clock } = this.#components;
    const ended = AbortSignal.any([signal, session.openAssignments()]);
    const set = new AssignmentSet(caller.nodeId);
    const dirty = session.dirtyTasks;
    let sequence = 0;
    // All nodes come at once to a new leader, and each has all of its tasks to be told.
    await (this.#components.yieldTurn ?? nextTurn)('dispatcher: assignments');
    let changes = store.view((tx) => {
      const tasks = tx.find('task', { nodeId: caller.nodeId });
      return set.reconcile(
        tx,
        tasks.map((task) => task.id),
      );
    });
    let type = AssignmentsMessage_Type.COMPLETE;
    for (;;) {
      if (type === AssignmentsMessage_Type.COMPLETE || changes.length > 0) {
        const appliesTo = sequence === 0 ? '' : `${sequence}`;
        yield { type, appliesTo, resultsIn: `${++sequence}`, changes };
        type = AssignmentsMessage_Type.INCREMENTAL;
      }
      await session.assignmentsChanged.wait(ended);
      if (dirty.size < ASSIGNMENT_BATCH_MAX) await sleep(clock, ASSIGNMENT_BATCH_MS, ended);
      const taskIds = [...dirty];
      dirty.clear();
      changes = store.view((tx) => set.reconcile(tx, taskIds));
    }
  }

  /** The node goes on purpose: no grace. */
  async leave(caller: Caller, sessionId: string): Promise<void> {
    this.#require(caller, sessionId);
    await this.#nodeDown(
      caller.nodeId,
      'node left',
      new SwarmError('SWM_UNAVAILABLE', 'node left'),
    );
  }

  /** What the gossip of node `by` says of a node's life; shortens the grace of the dead. */
  reportGossip(nodeId: string, dead: boolean, by: string): void {
    if (this.#running) this.#liveness.gossip(nodeId, dead, by);
  }

  #listenToGossip(): void {
    const { gossip } = this.#components;
    if (!gossip) return;
    const hear = (nodeId: string, alive: boolean) =>
      this.reportGossip(nodeId, !alive, this.#nodeId);
    this.#unsubscribe.push(gossip.onMembers(hear));
    for (const { nodeId, alive } of gossip.members()) if (!alive) hear(nodeId, alive);
  }

  async #register(caller: Caller, request: SessionRequest): Promise<Session> {
    if (!this.#running) throw stoppedError();
    const { store, clock, random } = this.#components;
    const { nodeId } = caller;
    store.view((tx) => nodeOf(tx, nodeId));
    this.#limit.admit(nodeId, clock.monotonic());

    const session = new Session(nodeId, newId(random));
    this.#sessions
      .get(nodeId)
      ?.end(
        new SwarmError('SWM_UNAVAILABLE', `node ${nodeId} registered anew, this session is over`),
      );
    this.#sessions.set(nodeId, session);
    this.#liveness.beat(nodeId);
    this.#orphans.cancel(nodeId);
    const description = request.description;
    const addr = hostOf(description?.gossipAddr) || caller.addr;
    await store.update((tx) => registerNode(tx, nodeId, { description, addr, now: this.#now() }));
    session.signal.throwIfAborted();
    return session;
  }

  #require(caller: Caller, sessionId: string): Session {
    if (!this.#running) throw stoppedError();
    const session = this.#sessions.get(caller.nodeId);
    if (!session) throw new SwarmError('SWM_NOT_FOUND', `node ${caller.nodeId} not registered`);
    if (session.id !== sessionId) {
      throw new SwarmError('SWM_INVALID_ARGUMENT', 'session invalid', {
        hint: 'Another agent of the same node registered after this one.',
      });
    }
    return session;
  }

  #nodeFailed(nodeId: string): void {
    const error = new SwarmError('SWM_UNAVAILABLE', `heartbeats of node ${nodeId} failed`);
    this.#nodeDown(nodeId, 'heartbeat failure', error).catch((cause) => {
      // Only a leader can, and a new leader will find out by itself.
      this.#components.logger.warn({ nodeId, err: errorMessage(cause) }, 'node not marked down');
    });
  }

  async #nodeDown(nodeId: string, message: string, error: SwarmError): Promise<void> {
    this.#liveness.forget(nodeId);
    this.#sessions.get(nodeId)?.end(error);
    this.#sessions.delete(nodeId);
    this.#components.logger.info({ nodeId, reason: message }, 'node is down');
    await this.#components.store.update((tx) => {
      if (this.#sessions.has(nodeId)) return;
      setNodeState(tx, nodeId, NodeState.DOWN, message, this.#now());
    });
  }

  #onCommit(commit: Commit): void {
    if (commit.restored) this.#refreshLater();
    for (const change of commit.changes) this.#onChange(change);
  }

  #onChange(change: StoreChange): void {
    if (change.kind === 'task') this.#onTask(change);
    if (concernsAll(change)) this.#refreshLater();
    if (change.kind !== 'node') return;
    this.#sessions.get(change.object.id)?.contentChanged.fire();
    this.#onNode(change);
  }

  #onTask(change: StoreChange & { kind: 'task' }): void {
    const task = change.object;
    if (change.type !== 'remove' && !belongsTo(task.nodeId, task)) return;
    this.#sessions.get(task.nodeId)?.noteTask(task.id);
  }

  #onNode(change: StoreChange & { kind: 'node' }): void {
    const node = change.object;
    if (change.type === 'remove') {
      this.#liveness.forget(node.id);
      this.#orphans.cancel(node.id);
      const error = new SwarmError('SWM_NOT_FOUND', `node ${node.id} was removed from the cluster`);
      this.#sessions.get(node.id)?.end(error);
      this.#sessions.delete(node.id);
    } else if (node.status?.state === NodeState.DOWN) this.#orphans.schedule(node);
    else if (change.type === 'create') this.#liveness.expect(node.id);
  }

  /** The more nodes there are to tell, the longer changes that concern all of them are collected. */
  #refreshLater(): void {
    const wait = Math.min(SHARED_BATCH_MAX_MS, Math.max(SHARED_BATCH_MS, this.#sessions.size));
    this.#refreshing ??= this.#components.clock.setTimer(wait, () => {
      this.#refreshing = undefined;
      if (!this.#running) return;
      const before = this.#shared;
      if (this.#refresh() === before) return;
      for (const session of this.#sessions.values()) session.contentChanged.fire();
    });
  }

  /** Keeps the old object while it is equal, by which sessions see that there is nothing to tell. */
  #refresh(): SharedContent {
    const { store, membership } = this.#components;
    const shared = store.view((tx) => sharedContent(tx, membership.members()));
    if (!this.#shared || !isDeepStrictEqual(this.#shared, shared)) this.#shared = shared;
    return this.#shared;
  }

  #heartbeatPeriod(): number {
    const cluster = this.#components.store.view(theCluster);
    const period = cluster?.spec?.dispatcher?.heartbeatPeriod;
    return durationMs(period, DEFAULT_HEARTBEAT_PERIOD_MS) || DEFAULT_HEARTBEAT_PERIOD_MS;
  }

  #now(): Date {
    return new Date(this.#components.clock.now());
  }
}

const UNKNOWN_MESSAGE = 'Node moved to "unknown" state due to leadership change in cluster';

function stoppedError(): SwarmError {
  return new SwarmError('SWM_UNAVAILABLE', 'dispatcher is stopped');
}

function refuseForeign(task: Task | undefined, caller: Caller): void {
  if (!task || task.nodeId === caller.nodeId) return;
  throw new SwarmError(
    'SWM_PERMISSION_DENIED',
    `node ${caller.nodeId} reported on task ${task.id}, which belongs to node ${task.nodeId}`,
  );
}

function hostOf(address: string | undefined): string {
  if (!address) return '';
  const end = address.lastIndexOf(':');
  return (end < 0 ? address : address.slice(0, end)).replace(/^\[|\]$/g, '');
}
