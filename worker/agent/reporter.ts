import { type Clock, sleep } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import { Trigger } from '../../common/trigger.ts';
import type { TaskStatusUpdate } from '../../proto/gen/swarm/dispatcher.ts';
import type { TaskStatus } from '../../proto/gen/swarm/types.ts';

export interface ReporterComponents {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Statuses sent in one request. */
const BATCH_MAX = 1_000;
/** Waits this long after the first change for others that come along. */
const COALESCE_MS = 5;
const RETRY_MS = 500;

/**
 * Brings statuses to the leader, across sessions. Of each task only the newest is pending, and it
 * stays pending until the leader has it.
 */
export class Reporter {
  readonly #components: ReporterComponents;
  readonly #pending = new Map<string, TaskStatus>();
  readonly #changed = new Trigger();

  constructor(components: ReporterComponents) {
    this.#components = components;
  }

  add(taskId: string, status: TaskStatus): void {
    const pending = this.#pending.get(taskId);
    if (pending && pending.state > status.state) return;
    this.#pending.set(taskId, status);
    this.#changed.fire();
  }

  /** The task is gone. */
  drop(taskId: string): void {
    this.#pending.delete(taskId);
  }

  /** Sends with `send` until aborted; throws what `send` throws once it failed twice in a row. */
  async run(
    send: (updates: readonly TaskStatusUpdate[], signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<never> {
    const { clock, logger } = this.#components;
    let failed = false;
    for (;;) {
      if (this.#pending.size === 0) await this.#changed.wait(signal);
      await sleep(clock, failed ? RETRY_MS : COALESCE_MS, signal);
      const batch = [...this.#pending].slice(0, BATCH_MAX);
      if (batch.length === 0) continue;
      try {
        await send(
          batch.map(([taskId, status]) => ({ taskId, status })),
          signal,
        );
        failed = false;
        for (const [taskId, status] of batch) {
          if (this.#pending.get(taskId) === status) this.#pending.delete(taskId);
        }
      } catch (error) {
        signal.throwIfAborted();
        if (failed) throw error;
        failed = true;
        logger.warn({ err: errorMessage(error) }, 'task statuses not accepted, trying again');
      }
    }
  }
}
