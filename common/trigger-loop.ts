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

  /** Calls `fire` after `ms`. A second call replaces the first. */
  fireIn(ms: number): void {
    this.#timer?.cancel();
    if (this.#abort.signal.aborted) return;
    this.#timer = this.#clock.setTimer(ms, () => this.#trigger.fire());
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
