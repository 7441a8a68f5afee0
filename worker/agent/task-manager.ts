import { isDeepStrictEqual } from 'node:util';
import { type Clock, sleep } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import { Trigger } from '../../common/trigger.ts';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import { TaskState, TaskStatus } from '../../proto/gen/swarm/types.ts';
import { type Controller, TaskExitError, TemporaryError } from './controller.ts';
import { failureState, nextStep, type Operation, type Step } from './next-step.ts';

export interface TaskManagerComponents {
  readonly controller: Controller;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with every status that differs from the one before. */
  readonly report: (taskId: string, status: TaskStatus) => void;
}

const RETRY_MS = 1_000;
const RETRY_MAX_MS = 30_000;

class Superseded extends Error {}

/** Leads one task from assignment to its end, one operation of its controller at a time. */
export class TaskManager {
  readonly #components: TaskManagerComponents;
  readonly #closing = new AbortController();
  readonly #updated = new Trigger();
  #task: Task;
  #status: TaskStatus;
  #inFlight: { step: Step; abort: AbortController } | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(components: TaskManagerComponents, init: { task: Task; status: TaskStatus }) {
    this.#components = components;
    this.#task = init.task;
    this.#status = init.status;
  }

  get task(): Task {
    return this.#task;
  }

  get status(): TaskStatus {
    return this.#status;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Takes newer orders. Desired states do not go back. */
  update(task: Task): void {
    if (task.desiredState < this.#task.desiredState) return;
    this.#task = task;
    if (this.#inFlight && !isDeepStrictEqual(this.#inFlight.step, this.#nextStep())) {
      this.#inFlight.abort.abort(new Superseded('newer orders came'));
    }
    this.#updated.fire();
  }

  /** Stops leading the task and leaves it as it is. */
  async close(): Promise<void> {
    this.#closing.abort(new Superseded('the agent stops'));
    await this.#loop;
  }

  /** Ends the task and removes what it left. */
  async remove(): Promise<void> {
    await this.close();
    await this.#components.controller.remove();
  }

  async #run(): Promise<void> {
    const closing = this.#closing.signal;
    let failures = 0;
    while (!closing.aborted) {
      const step = this.#nextStep();
      try {
        if (step.kind === 'idle') await this.#updated.wait(closing);
        else if (step.kind === 'enter') this.#enter(step.state, { message: step.message });
        else await this.#perform(step, closing);
        failures = 0;
      } catch (error) {
        if (closing.aborted) return;
        if (error instanceof Superseded) continue;
        if (error instanceof TemporaryError) await this.#pause(error, failures++);
        else this.#fail(error);
      }
    }
  }

  #nextStep(): Step {
    return nextStep(this.#task.desiredState, this.#status.state);
  }

  async #perform(step: Step & { kind: 'run' }, closing: AbortSignal): Promise<void> {
    const abort = new AbortController();
    this.#inFlight = { step, abort };
    const signal = AbortSignal.any([abort.signal, closing]);
    try {
      await this.#operation(step.operation)(signal);
    } finally {
      this.#inFlight = undefined;
    }
    this.#enter(step.state, { message: step.message });
  }

  #operation(operation: Operation): (signal: AbortSignal) => Promise<void> {
    const { controller } = this.#components;
    return (signal) => controller[operation](signal);
  }

  #enter(state: TaskState, change: { message: string; err?: string; exitCode?: number }): void {
    const known = state >= TaskState.STARTING ? this.#components.controller.status() : undefined;
    const container = known?.container ?? this.#status.container;
    const { exitCode } = change;
    this.#status = {
      ...TaskStatus.fromPartial({ state, message: change.message, err: change.err ?? '' }),
      timestamp: new Date(this.#components.clock.now()),
      container: container && exitCode !== undefined ? { ...container, exitCode } : container,
      portStatus: known?.ports ?? this.#status.portStatus,
    };
    this.#components.report(this.#task.id, this.#status);
  }

  #fail(error: unknown): void {
    const err = errorMessage(error);
    const state = failureState(this.#status.state);
    this.#components.logger.info({ taskId: this.#task.id, err }, `task ${TaskState[state]}`);
    // The message stays what the task was doing when it failed, as `service ps` shows the error.
    const message = this.#status.message;
    const exit = error instanceof TaskExitError ? { exitCode: error.exitCode } : {};
    this.#enter(state, { message, err, ...exit });
  }

  async #pause(error: TemporaryError, failures: number): Promise<void> {
    const { clock, logger } = this.#components;
    logger.warn({ taskId: this.#task.id, err: error.message }, 'task operation will be repeated');
    const delay = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** failures);
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#closing.signal]);
    await Promise.race([sleep(clock, delay, signal), this.#updated.wait(signal)]).catch(() => {});
    abort.abort();
  }
}
