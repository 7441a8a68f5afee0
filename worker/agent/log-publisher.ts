import { type Clock, sleep } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { PublishLogsMessage, SubscriptionMessage } from '../../proto/gen/swarm/logs.ts';
import type { EngineApi } from '../engine/types.ts';
import type { ManagerConnection } from './connection.ts';
import { TaskLogs, type TaskSource } from './task-logs.ts';

export interface LogPublisherComponents {
  readonly engine: EngineApi;
  readonly tasks: TaskSource;
  readonly clock: Clock;
  readonly logger: Logger;
}

const RETRY_MS = 1_000;

/** Sends the logs of this node's tasks to those who subscribe to them, over the session's connection. */
export class LogPublisher {
  readonly #components: LogPublisherComponents;
  readonly #nodeId: string;

  constructor(components: LogPublisherComponents, init: { nodeId: string }) {
    this.#components = components;
    this.#nodeId = init.nodeId;
  }

  /** Goes on until aborted: trouble with logs does not end a session. */
  async run(connection: ManagerConnection, signal: AbortSignal): Promise<never> {
    const { clock, logger } = this.#components;
    for (;;) {
      try {
        await this.#listen(connection, signal);
      } catch (error) {
        signal.throwIfAborted();
        logger.warn({ err: errorMessage(error) }, 'not listening for log subscriptions');
      }
      await sleep(clock, RETRY_MS, signal);
    }
  }

  async #listen(connection: ManagerConnection, signal: AbortSignal): Promise<void> {
    const open = new Map<string, AbortController>();
    const lost = new AbortController();
    try {
      for await (const subscription of connection.listenSubscriptions(signal)) {
        const { id, close } = subscription;
        open.get(id)?.abort(new Error('the subscription was closed'));
        open.delete(id);
        if (close) continue;
        const stop = new AbortController();
        open.set(id, stop);
        const ended = AbortSignal.any([stop.signal, lost.signal, signal]);
        void this.#publish(connection, subscription, ended).finally(() => {
          if (open.get(id) === stop) open.delete(id);
        });
      }
    } finally {
      lost.abort(new Error('the manager is gone'));
    }
  }

  async #publish(
    connection: ManagerConnection,
    subscription: SubscriptionMessage,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await connection.publishLogs(this.#messages(subscription, signal), signal);
    } catch (error) {
      if (signal.aborted) return;
      const { logger } = this.#components;
      logger.info(
        { subscription: subscription.id, err: errorMessage(error) },
        'logs not published',
      );
    }
  }

  async *#messages(
    subscription: SubscriptionMessage,
    signal: AbortSignal,
  ): AsyncGenerator<PublishLogsMessage> {
    const subscriptionId = subscription.id;
    const { engine, tasks, clock, logger } = this.#components;
    const logs = new TaskLogs(
      { engine, tasks, clock, logger },
      { nodeId: this.#nodeId, subscription },
    );
    // The manager learns at once which subscription this is, also when there is nothing to send.
    yield { subscriptionId, messages: [], close: false };
    for await (const messages of logs.read(signal)) {
      yield { subscriptionId, messages, close: false };
    }
    yield { subscriptionId, messages: [], close: true };
  }
}
