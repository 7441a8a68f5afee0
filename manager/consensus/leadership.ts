import type { Logger } from '../../common/logger.ts';

export interface LeadershipInit {
  /** Called after the listeners when leadership is lost: whoever waits for a proposal is told. */
  readonly onLost: () => void;
}

/**
 * Whether this manager leads as far as the rest of it is concerned: not before it has applied every
 * entry of earlier terms, and not a moment longer than the core says.
 */
export class Leadership {
  readonly #logger: Logger;
  readonly #onLost: () => void;
  readonly #listeners = new Set<(isLeader: boolean) => void>();
  #announced = false;
  #term = 0;
  /** Leads since this entry, once it is applied. */
  #from: number | undefined;

  constructor(components: { readonly logger: Logger }, init: LeadershipInit) {
    this.#logger = components.logger;
    this.#onLost = init.onLost;
  }

  get isLeader(): boolean {
    return this.#announced;
  }

  listen(listener: (isLeader: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The core leads in `term`; `lastIndex` is its first entry or a later one. */
  elected(term: number, lastIndex: number): void {
    if (this.#term === term) return;
    this.lost();
    this.#term = term;
    this.#from = lastIndex;
  }

  applied(index: number): void {
    if (this.#from === undefined || index < this.#from) return;
    this.#from = undefined;
    this.#announced = true;
    this.#tell(true);
  }

  lost(): void {
    this.#term = 0;
    this.#from = undefined;
    if (!this.#announced) return;
    this.#announced = false;
    this.#tell(false);
    this.#onLost();
  }

  #tell(isLeader: boolean): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(isLeader);
      } catch (err) {
        this.#logger.error({ err, isLeader }, 'a listener for leadership failed');
      }
    }
  }
}
