import { type Clock, sleep, type Timer } from './clock.ts';
import type { Startable } from './startable.ts';
import { Trigger } from './trigger.ts';

export interface TriggerLoopComponents {
  readonly clock: Clock;
}

export interface TriggerLoopInit {
  /** Its signal is aborted with `stop`, which waits for it. */
  readonly act: (signal: AbortSignal) => Promise<void>;
  /** How long the loop rests after `act` failed; then it acts again. */
  readonly retryMs: number;
  /** Told of every failure of `act`, but not of one that comes after `stop`. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Acts once when it is started, and again whenever it was fired since the last act began. One act at
 * a time: any number of `fire` calls during an act, or the rest after a failure, make for one more.
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

  /** Begins no other act; resolves when the one under way is over. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the loop was stopped'));
    this.#timer?.cancel();
    await this.#running;
  }

  fire(): void {
    this.#trigger.fire();
  }

  /** Fires after `ms`; the later of two calls counts. */
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
