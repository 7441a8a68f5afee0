import { SwarmError } from '../../common/errors.ts';
import { newId } from '../../common/ids.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { Startable } from '../../common/startable.ts';
import type {
  PublishLogsMessage,
  SubscribeLogsMessage,
  SubscribeLogsRequest,
  SubscriptionMessage,
} from '../../proto/gen/swarm/logs.ts';
import type { Commit, Store } from '../store/types.ts';
import { LineQueue } from './line-queue.ts';
import { selectNodes, selects } from './selection.ts';
import { Subscription } from './subscription.ts';

export interface LogBrokerComponents {
  readonly store: Store;
  readonly random: Random;
  readonly logger: Logger;
}

/** Subscriptions that a node has not taken yet; more means that it does not listen. */
const LISTENER_CAPACITY = 1_024;

/**
 * Brings the logs of services and tasks from the nodes that hold them to the clients that want
 * them. Leader only: all nodes have a session with the leader.
 */
export class LogBroker implements Startable {
  readonly #components: LogBrokerComponents;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #listeners = new Map<string, LineQueue<SubscriptionMessage>>();
  #unsubscribe: () => void = () => undefined;
  #running = false;

  constructor(components: LogBrokerComponents) {
    this.#components = components;
  }

  async start(): Promise<void> {
    this.#running = true;
    this.#unsubscribe = this.#components.store.subscribe((commit) => this.#onCommit(commit));
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#unsubscribe();
    for (const { lines } of this.#subscriptions.values()) lines.close(stoppedError());
    for (const listener of this.#listeners.values()) listener.close(stoppedError());
  }

  /**
   * The lines of all tasks that the request selects, as they come. Ends when every node has sent
   * what it has, unless it is to follow; throws at the end when some of it is missing.
   */
  async *subscribe(
    request: SubscribeLogsRequest,
    signal: AbortSignal,
  ): AsyncGenerator<SubscribeLogsMessage> {
    if (!this.#running) throw stoppedError();
    const subscription = new Subscription(newId(this.#components.random), request);
    this.#subscriptions.set(subscription.id, subscription);
    try {
      this.#open(subscription);
      for await (const messages of subscription.lines.read(signal)) yield { messages };
    } finally {
      this.#close(subscription);
    }
  }

  /** What the node is asked for, from now on. A node has one listener: a new one ends the last. */
  async *listen(nodeId: string, signal: AbortSignal): AsyncGenerator<SubscriptionMessage> {
    if (!this.#running) throw stoppedError();
    const listener = new LineQueue<SubscriptionMessage>({ capacity: LISTENER_CAPACITY });
    this.#listeners.get(nodeId)?.close(new SwarmError('SWM_UNAVAILABLE', 'the node listens anew'));
    this.#listeners.set(nodeId, listener);
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.concerns(nodeId)) void listener.push(subscription.message(nodeId));
    }
    try {
      yield* listener.read(signal);
    } finally {
      if (this.#listeners.get(nodeId) === listener) {
        this.#listeners.delete(nodeId);
        this.#lost(nodeId);
      }
    }
  }

  /**
   * Takes the lines of one node for one subscription. Throws SWM_PERMISSION_DENIED when they are
   * said to be another node's, SWM_NOT_FOUND when nobody wants them any more.
   */
  async publish(nodeId: string, messages: AsyncIterable<PublishLogsMessage>): Promise<void> {
    let subscription: Subscription | undefined;
    try {
      for await (const message of messages) {
        subscription ??= this.#subscriptions.get(message.subscriptionId);
        if (!subscription || subscription.id !== message.subscriptionId) {
          const text = `log subscription ${message.subscriptionId} does not exist (any more)`;
          throw new SwarmError('SWM_NOT_FOUND', text);
        }
        refuseForeign(nodeId, message);
        if (message.close) {
          subscription.done(nodeId);
          return;
        }
        await subscription.add(nodeId, message.messages);
      }
    } finally {
      subscription?.done(nodeId, `node ${nodeId} disconnected unexpectedly`);
    }
  }

  #open(subscription: Subscription): void {
    const { selector, follow } = subscription;
    const selected = this.#components.store.view((tx) => selectNodes(tx, selector, follow));
    for (const taskId of selected.unscheduled) {
      subscription.lacks(`task ${taskId} has not been scheduled`);
    }
    const asked = [...selected.nodeIds].filter((nodeId) => subscription.ask(nodeId));
    for (const nodeId of asked) this.#push(subscription, nodeId);
    subscription.endIfComplete();
  }

  #push(subscription: Subscription, nodeId: string): void {
    const listener = this.#listeners.get(nodeId);
    if (listener) void listener.push(subscription.message(nodeId));
    // One that follows waits for the node to come back.
    else if (!subscription.follow) subscription.done(nodeId, `node ${nodeId} is not available`);
  }

  #close(subscription: Subscription): void {
    this.#subscriptions.delete(subscription.id);
    subscription.lines.close();
    for (const nodeId of subscription.nodeIds) {
      void this.#listeners.get(nodeId)?.push(subscription.message(nodeId, true));
    }
  }

  #lost(nodeId: string): void {
    for (const subscription of this.#subscriptions.values()) {
      subscription.done(nodeId, `node ${nodeId} disconnected unexpectedly`);
    }
  }

  /** Those who follow hear of tasks that come to nodes which had none before. */
  #onCommit({ changes }: Commit): void {
    const following = [...this.#subscriptions.values()].filter(({ follow }) => follow);
    if (following.length === 0) return;
    for (const change of changes) {
      if (change.kind !== 'task' || change.type === 'remove' || !change.object.nodeId) continue;
      const task = change.object;
      for (const subscription of following) {
        if (!selects(subscription.selector, task)) continue;
        if (subscription.ask(task.nodeId)) this.#push(subscription, task.nodeId);
      }
    }
  }
}

function refuseForeign(nodeId: string, { messages }: PublishLogsMessage): void {
  const foreign = messages.find(({ context }) => context?.nodeId !== nodeId);
  if (!foreign) return;
  throw new SwarmError(
    'SWM_PERMISSION_DENIED',
    `node ${nodeId} published logs of node ${foreign.context?.nodeId || '(none)'}`,
  );
}

function stoppedError(): SwarmError {
  return new SwarmError('SWM_UNAVAILABLE', 'broker is not running');
}
