import { type Clock, sleep, type Timer } from './clock.ts';
import type { Startable } from './startable.ts';
import { Trigger } from './trigger.ts';

export interface TriggerLoopComponents {
  readonly clock: Clock;
}

export interface TriggerLoopInit {
  /** The signal is aborted by `stop`, which waits for `act` to end. */
  readonly act: (signal: AbortSignal) => Promise<void>;
  /** The pause after `act` failed; then it is called again. */
  readonly retryMs: number;
  /** Called with every error of `act`, except after `stop`. Must not throw. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Calls `act` once when it is started, and again whenever `fire` was called since the last call began.
 * Calls of `act` do not overlap: any number of `fire` calls during one of them, or during the pause
 * after a failure, lead to one more.
 */
export class TriggerLoop implements Startable {
  readonly #clock: Clock;
  readonly #init: TriggerLoopInit;
  readonly #trigger = new Trigger();
  readonly #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;

  constructor(components: TriggerLoopComponents, init: TriggerLoopInit) {
    this.#clock = components.clock;
    this.#init = init;
  }

  async start(): Promise<void> {
    this.#trigger.fire();
    this.#running = this.#run(this.#abort.signal);
  }

  /** `act` is not called again. Resolves when a call of it that is under way has ended. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the loop was stopped'));
    this.#timer?.cancel();
    await this.#running;
  }

  fire(): void {
    this.#trigger.fire();
  }

  /**
   * Calls `fire` after `ms`, rounded up to whole milliseconds, at least one. A second call replaces the
   * first. (Timers may be early by a fraction of a millisecond. An `act` that asks for the rest of a
   * period would otherwise be called without end for a rest too small to move the clock.)
   */
  fireIn(ms: number): void {
    this.#timer?.cancel();
    if (this.#abort.signal.aborted) return;
    const delay = Math.max(1, Math.ceil(ms));
    this.#timer = this.#clock.setTimer(delay, () => this.#trigger.fire());
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { act, retryMs, onFailure } = this.#init;
    while (!signal.aborted) {
      await this.#trigger.wait(signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await act(signal);
      } catch (error) {
        if (signal.aborted) return;
        onFailure(error);
        await sleep(this.#clock, retryMs, signal).catch(() => undefined);
        this.#trigger.fire();
      }
    }
  }
}
