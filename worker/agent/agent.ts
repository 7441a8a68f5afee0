import { isDeepStrictEqual } from 'node:util';
import { unlessAborted } from '../../common/abort.ts';
import { type Clock, sleep } from '../../common/clock.ts';
import { within } from '../../common/deadline.ts';
import { errorMessage, isSwarmError, SwarmError } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { NetDriverApi } from '../../netdriver/index.ts';
import type { SessionMessage } from '../../proto/gen/swarm/dispatcher.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import type { NodeDescription, Peer } from '../../proto/gen/swarm/types.ts';
import type { EngineApi } from '../engine/types.ts';
import { Attacher } from './attacher.ts';
import { AttachmentController } from './attachment-controller.ts';
import { Backoff } from './backoff.ts';
import type { Dial, ManagerConnection } from './connection.ts';
import { ContainerController } from './container/container-controller.ts';
import { ImagePuller } from './container/image-puller.ts';
import { sweepContainers } from './container/sweep.ts';
import type { Controller } from './controller.ts';
import { LogPublisher } from './log-publisher.ts';
import { Remotes } from './remotes.ts';
import { Reporter } from './reporter.ts';
import { runSession, type SessionHandlers } from './session.ts';
import type { TaskDb } from './task-db.ts';
import type { AgentApi, SessionState } from './types.ts';
import { Worker } from './worker.ts';

export interface AgentComponents {
  readonly engine: EngineApi;
  readonly netdriver: Pick<NetDriverApi, 'enableService' | 'disableService'>;
  readonly dial: Dial;
  /** Closed by the agent when it stops. */
  readonly db: TaskDb;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface AgentInit {
  readonly nodeId: string;
  readonly description: NodeDescription;
  /** Managers known from the last run, or from joining. */
  readonly peers: readonly Peer[];
  /** The manager of this node, while it has one: it is asked first. */
  readonly localManager?: () => string | undefined;
  /** Why the managers will not hear of this node; undefined once they do again. */
  readonly onRefused?: (reason: string | undefined) => void;
  /** The managers changed: to be kept for the next start. */
  readonly onPeers?: (peers: readonly Peer[]) => void;
}

const LEAVE_TIMEOUT_MS = 5_000;

/** See `AgentApi`. The session comes and goes; the tasks of the worker live on. */
export class Agent implements AgentApi {
  readonly #components: AgentComponents;
  readonly #init: AgentInit;
  readonly #remotes: Remotes;
  readonly #reporter: Reporter;
  readonly #worker: Worker;
  readonly #logs: LogPublisher;
  readonly #puller: ImagePuller;
  readonly #stopping = new AbortController();
  readonly #listeners = new Set<(state: SessionState) => void>();
  readonly attacher: Attacher;
  #description: NodeDescription;
  #redescribe = new AbortController();
  #session: SessionState | undefined;
  #sessionId = '';
  #connection: ManagerConnection | undefined;
  #waiters: ((connection: ManagerConnection) => void)[] = [];
  #localFailed = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(components: AgentComponents, init: AgentInit) {
    this.#components = components;
    this.#init = init;
    this.#description = init.description;
    const { random, clock, db, logger, engine } = components;
    const onChange = init.onPeers ?? (() => undefined);
    this.#remotes = new Remotes({ random, onChange }, { peers: init.peers });
    this.#reporter = new Reporter(components);
    this.#puller = new ImagePuller({ images: engine.images, clock, logger });
    this.#worker = new Worker({
      db,
      clock,
      logger,
      controllerFor: (task) => this.#controllerFor(task),
      report: (taskId, status) => this.#reporter.add(taskId, status),
      sweep: (keep) => sweepContainers({ engine, logger }, keep),
    });
    this.#logs = new LogPublisher(
      { engine, tasks: this.#worker, clock, logger },
      { nodeId: init.nodeId },
    );
    this.attacher = new Attacher({
      clock,
      logger,
      connection: (signal) => this.#connected(signal),
      tasks: () => this.#worker.tasks(),
      onTask: (listener) => this.#worker.onTask(listener),
    });
  }

  get session(): SessionState | undefined {
    return this.#session;
  }

  async start(): Promise<void> {
    await this.#worker.start();
    this.#loop = this.#keepSession();
  }

  async stop({ leave }: { leave: boolean }): Promise<void> {
    if (leave) await this.#leave();
    this.#stopping.abort(new SwarmError('SWM_UNAVAILABLE', 'the agent stops'));
    await this.#loop;
    if (leave) await this.#worker.removeAll();
    else await this.#worker.stop();
    await this.#components.db.close();
  }

  async ready(signal?: AbortSignal): Promise<void> {
    if (!this.#session) await this.#connected(signal ?? this.#stopping.signal);
  }

  onSession(listener: (state: SessionState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  describe(description: NodeDescription): void {
    if (isDeepStrictEqual(this.#description, description)) return;
    this.#description = description;
    this.#redescribe.abort(new Redescribed());
  }

  async #keepSession(): Promise<void> {
    const { clock, random, logger } = this.#components;
    const backoff = new Backoff(random);
    const stopping = this.#stopping.signal;
    while (!stopping.aborted) {
      const target = this.#chooseManager();
      try {
        if (target === undefined) throw new SwarmError('SWM_UNAVAILABLE', 'no manager is known');
        await this.#runSession(target, () => backoff.reset());
      } catch (error) {
        if (stopping.aborted) return;
        // Not a failure: the node only introduces itself again.
        if (error instanceof Redescribed) continue;
        if (target !== undefined) this.#remotes.failed(target);
        if (isSwarmError(error, 'SWM_PERMISSION_DENIED')) this.#init.onRefused?.(error.message);
        this.#localFailed = target === this.#init.localManager?.() && !this.#localFailed;
        logger.info({ manager: target, err: errorMessage(error) }, 'session ended');
      }
      await sleep(clock, backoff.next(), stopping).catch(() => undefined);
    }
  }

  /** The own manager goes first; when it just failed it is given a rest of one attempt. */
  #chooseManager(): string | undefined {
    const local = this.#init.localManager?.();
    return local && !this.#localFailed ? local : (this.#remotes.choose() ?? local);
  }

  async #runSession(target: string, onEstablished: () => void): Promise<never> {
    const { clock, dial } = this.#components;
    const connection = dial(target);
    this.#redescribe = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, this.#redescribe.signal]);
    const handlers: SessionHandlers = {
      onMessage: (message) => {
        if (message.sessionId !== this.#sessionId) {
          this.#established(target, connection, message.sessionId);
          onEstablished();
        }
        this.#learn(message, target);
      },
      onAssignments: (message) => this.#worker.apply(message),
      reportStatuses: (send, ending) => this.#reporter.run(send, ending),
      beside: [(line, ending) => this.#logs.run(line, ending)],
    };
    const init = { description: this.#description, previousSessionId: this.#sessionId };
    try {
      return await runSession({ connection, clock, handlers }, init, signal);
    } finally {
      if (this.#connection === connection) this.#connection = undefined;
      connection.close();
    }
  }

  #established(target: string, connection: ManagerConnection, sessionId: string): void {
    this.#sessionId = sessionId;
    this.#connection = connection;
    this.#localFailed = false;
    this.#remotes.succeeded(target);
    this.#init.onRefused?.(undefined);
    this.#components.logger.info({ manager: target }, 'session established');
    // The leader may be new and may have missed the last ones.
    for (const [taskId, status] of this.#worker.statuses()) this.#reporter.add(taskId, status);
    for (const waiter of this.#waiters.splice(0)) waiter(connection);
  }

  #learn(message: SessionMessage, target: string): void {
    this.#remotes.replace(message.managers, target);
    const state: SessionState = {
      node: message.node,
      managers: message.managers,
      rootCa: Buffer.from(message.rootCa).toString('utf8'),
      gossipPeers: message.gossipPeers,
      networkKeys: message.networkBootstrapKeys,
      vxlanUdpPort: message.vxlanUdpPort,
    };
    this.#session = state;
    for (const listener of this.#listeners) listener(state);
  }

  #connected(signal: AbortSignal): Promise<ManagerConnection> {
    if (this.#connection) return Promise.resolve(this.#connection);
    const connected = new Promise<ManagerConnection>((resolve) => this.#waiters.push(resolve));
    return unlessAborted(connected, signal);
  }

  async #leave(): Promise<void> {
    const { clock, logger } = this.#components;
    if (this.#sessionId === '') return;
    const late = () => new Error('no answer');
    try {
      await within(clock, { ms: LEAVE_TIMEOUT_MS, late }, (limit) => this.#tellOfLeave(limit));
    } catch (error) {
      logger.warn({ err: errorMessage(error) }, 'the managers were not told of the leave');
    }
  }

  /** A manager that leaves has been removed from Raft and lost its session, so it tells another one. */
  async #tellOfLeave(signal: AbortSignal): Promise<void> {
    const request = { sessionId: this.#sessionId };
    let failure: unknown = new SwarmError('SWM_UNAVAILABLE', 'no manager is known');
    if (this.#connection) {
      try {
        return await this.#connection.leave(request, signal);
      } catch (error) {
        failure = error;
      }
    }
    for (const { addr } of this.#remotes.peers()) {
      const connection = this.#components.dial(addr);
      try {
        return await connection.leave(request, signal);
      } catch (error) {
        failure = error;
      } finally {
        connection.close();
      }
    }
    throw failure;
  }

  #controllerFor(task: Task): Controller {
    const runtime = task.spec?.runtime;
    if (runtime?.$case === 'attachment') return new AttachmentController();
    if (runtime?.$case === 'container') {
      return new ContainerController(this.#containerComponents(), {
        task,
        spec: runtime.container,
      });
    }
    throw new SwarmError(
      'SWM_NOT_IMPLEMENTED',
      `task ${task.id} has runtime ${runtime?.$case ?? 'none'}; this node runs containers`,
    );
  }

  #containerComponents() {
    const { nodeId } = this.#init;
    return {
      ...this.#components,
      puller: this.#puller,
      dependencies: this.#worker.assigned,
      node: () => ({ id: nodeId, description: this.#description }),
    };
  }
}

/** Ends a session because the node has something new to tell of itself. */
class Redescribed extends Error {}
