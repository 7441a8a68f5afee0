import { unlessAborted } from '../../common/abort.ts';
import { type Clock, sleep } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import { Trigger } from '../../common/trigger.ts';
import {
  type LogMessage,
  LogStream,
  type LogSubscriptionOptions,
  type SubscriptionMessage,
} from '../../proto/gen/swarm/logs.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import type { Container, EngineApi, LogLine, LogOptions } from '../engine/types.ts';

/** The tasks of this node, and those to come. */
export interface TaskSource {
  tasks(): readonly Task[];
  onTask(listener: (task: Task) => void): () => void;
}

export interface TaskLogsComponents {
  readonly engine: EngineApi;
  readonly tasks: TaskSource;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Lines sent together, and how long the first of them waits for others. */
const BATCH_MAX = 200;
const BATCH_MS = 20;

/**
 * The logs of all tasks that one subscription selects, merged as they come. When it follows, also
 * those of tasks that are assigned later, each from when its container exists.
 */
export class TaskLogs {
  readonly #components: TaskLogsComponents;
  readonly #nodeId: string;
  readonly #subscription: SubscriptionMessage;
  readonly #lines: LogMessage[] = [];
  readonly #changed = new Trigger();
  readonly #reading = new Set<string>();
  /** Wakes the readers that wait because their lines have not been taken. */
  #waiting: (() => void)[] = [];
  #active = 0;

  constructor(
    components: TaskLogsComponents,
    init: { nodeId: string; subscription: SubscriptionMessage },
  ) {
    this.#components = components;
    this.#nodeId = init.nodeId;
    this.#subscription = init.subscription;
  }

  async *read(signal: AbortSignal): AsyncGenerator<LogMessage[]> {
    const { engine, tasks, clock } = this.#components;
    const follow = this.#subscription.options?.follow ?? false;
    const unsubscribe = [
      tasks.onTask(() => this.#readNew(signal)),
      engine.onEvent(({ type }) => type === 'container' && this.#readNew(signal)),
    ];
    try {
      this.#readNew(signal);
      while (follow || this.#active > 0 || this.#lines.length > 0) {
        if (this.#lines.length === 0) await this.#changed.wait(signal);
        if (this.#lines.length < BATCH_MAX && this.#active > 0)
          await sleep(clock, BATCH_MS, signal);
        const batch = this.#lines.splice(0, BATCH_MAX);
        for (const wake of this.#waiting.splice(0)) wake();
        if (batch.length > 0) yield batch;
      }
    } finally {
      for (const end of unsubscribe) end();
    }
  }

  #readNew(signal: AbortSignal): void {
    // What comes later is of no interest to a subscription that ends with what there is.
    const { options } = this.#subscription;
    if (this.#reading.size > 0 && !options?.follow) return;
    const containers = new Map(this.#components.engine.list().map((c) => [c.taskId, c]));
    for (const task of this.#components.tasks.tasks()) {
      const container = containers.get(task.id);
      if (!container || this.#reading.has(task.id) || !this.#selects(task)) continue;
      this.#reading.add(task.id);
      this.#active++;
      this.#readTask(task, container, options, signal).finally(() => {
        this.#active--;
        this.#changed.fire();
      });
    }
  }

  #selects(task: Task): boolean {
    const { serviceIds = [], nodeIds = [], taskIds = [] } = this.#subscription.selector ?? {};
    const ofService = task.serviceId !== '' && serviceIds.includes(task.serviceId);
    return ofService || taskIds.includes(task.id) || nodeIds.includes(this.#nodeId);
  }

  async #readTask(
    task: Task,
    container: Container,
    options: LogSubscriptionOptions | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { engine, logger } = this.#components;
    let skip = Math.max(0, options?.tail ?? 0);
    try {
      for await (const line of engine.logs(container.id, engineOptions(options, signal))) {
        if (signal.aborted) return;
        if (skip-- > 0) continue;
        await this.#add(message(line, task, this.#nodeId), signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      logger.info(
        { taskId: task.id, err: errorMessage(error) },
        'log of a task not read to its end',
      );
    }
  }

  async #add(line: LogMessage, signal: AbortSignal): Promise<void> {
    while (this.#lines.length >= BATCH_MAX && !signal.aborted) {
      const room = new Promise<void>((resolve) => this.#waiting.push(resolve));
      await unlessAborted(room, signal).catch(() => undefined);
    }
    this.#lines.push(line);
    this.#changed.fire();
  }
}

function engineOptions(
  options: LogSubscriptionOptions | undefined,
  signal: AbortSignal,
): LogOptions {
  const { streams = [], follow = false, tail = 0, since } = options ?? {};
  const wants = (stream: LogStream) => streams.length === 0 || streams.includes(stream);
  return {
    stdout: wants(LogStream.STDOUT),
    stderr: wants(LogStream.STDERR),
    follow,
    signal,
    // Negative counts from the end: -1 is no line, -11 the last ten.
    ...(tail < 0 ? { tail: -tail - 1 } : {}),
    ...(since ? { since: since.getTime() } : {}),
  };
}

function message({ stream, time, data }: LogLine, task: Task, nodeId: string): LogMessage {
  return {
    context: { serviceId: task.serviceId, nodeId, taskId: task.id },
    timestamp: new Date(time),
    timestampNs: nanosBelowMilli(time),
    stream: stream === 'stdout' ? LogStream.STDOUT : LogStream.STDERR,
    data,
    attrs: {},
  };
}

/** A Date holds milliseconds; the six digits below them go beside it. */
function nanosBelowMilli(time: string): number {
  const [, fraction = ''] = /\.(\d+)/.exec(time) ?? [];
  return Number(fraction.padEnd(9, '0').slice(3, 9));
}
