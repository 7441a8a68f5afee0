import type { Clock } from './clock.ts';
import { nextTurn, type YieldTurn } from './turns.ts';

/** What long work asks of its surroundings. */
export interface Pacing {
  readonly clock: Clock;
  /** `nextTurn` by default; the daemon passes the one of its `TurnQueue`. */
  readonly yieldTurn?: YieldTurn | undefined;
}

/** Milliseconds of work before the event loop gets a turn. */
const SLICE_MS = 5;

/**
 * Cuts long work into slices, between which the event loop serves everybody else. The work asks after
 * each of its steps, which must be small against a slice:
 *
 *   const slices = new Slices(components, 'walk over all items');
 *   for (const item of items) {
 *     step(item);
 *     if (slices.isUsedUp) await slices.next();
 *   }
 */
export class Slices {
  readonly #clock: Clock;
  readonly #yieldTurn: YieldTurn;
  readonly #what: string;
  #until = 0;

  /** The first slice begins here. */
  constructor({ clock, yieldTurn = nextTurn }: Pacing, what: string) {
    this.#clock = clock;
    this.#yieldTurn = yieldTurn;
    this.#what = what;
    this.begin();
  }

  /** A slice begins: nothing of this work has been done in this turn of the event loop. */
  begin(): void {
    this.#until = this.#clock.monotonic() + SLICE_MS;
  }

  get isUsedUp(): boolean {
    return this.#clock.monotonic() >= this.#until;
  }

  /** Resolves in the next slice. */
  async next(): Promise<void> {
    await this.#yieldTurn(this.#what);
    this.begin();
  }
}
