import type { YieldTurn } from './turns.ts';

export interface TurnQueueInit {
  /** Called with the name of the work that goes on now. */
  readonly onTurn?: (what: string) => void;
}

interface Waiting {
  readonly what: string;
  readonly resolve: () => void;
}

/**
 * Turns of the event loop for all the long works of a process: one of them goes on per turn, in the
 * order of their asking. Slices of works that run beside each other so never add up to one stretch.
 */
export class TurnQueue {
  readonly #onTurn: (what: string) => void;
  readonly #waiting: Waiting[] = [];

  constructor(init: TurnQueueInit = {}) {
    this.#onTurn = init.onTurn ?? (() => undefined);
  }

  /** Resolves in a turn of the event loop that no other work has. */
  readonly next: YieldTurn = (what = 'unnamed work') =>
    new Promise((resolve) => {
      // Whoever asks during its own turn gets a later one: immediates do not run twice in a turn.
      if (this.#waiting.push({ what, resolve }) === 1) setImmediate(this.#grant);
    });

  readonly #grant = (): void => {
    const work = this.#waiting.shift();
    if (this.#waiting.length > 0) setImmediate(this.#grant);
    if (!work) return;
    this.#onTurn(work.what);
    work.resolve();
  };
}
