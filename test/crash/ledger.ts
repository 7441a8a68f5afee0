import type { Line } from './journal.ts';

/** What may be in the state, after what was asked for and what was acknowledged. */
export class Ledger {
  /** By name: what it may be. */
  readonly #may = new Map<string, Set<boolean>>();

  take(line: Line): void {
    if (line.type === 'try') this.#of(line.name).add(line.present);
    else if (line.type === 'done') this.#may.set(line.name, new Set([line.present]));
  }

  /**
   * Throws unless `found` is a state that is possible: everything acknowledged is there, nothing that
   * was removed, nothing that nobody asked for, and each only once. What was open is known from then on.
   */
  check(found: readonly string[]): void {
    const seen = new Set(found);
    if (seen.size < found.length) throw new Error(`something is there twice: ${found}`);
    for (const name of seen) {
      if (!this.#of(name).has(true)) throw new Error(`${name} is there, and was not to be`);
    }
    for (const [name, may] of this.#may) {
      if (!seen.has(name) && !may.has(false))
        throw new Error(`${name} was acknowledged, and is gone`);
      this.#may.set(name, new Set([seen.has(name)]));
    }
  }

  get acknowledged(): number {
    return [...this.#may.values()].filter((may) => !may.has(false)).length;
  }

  #of(name: string): Set<boolean> {
    const may = this.#may.get(name) ?? new Set([false]);
    this.#may.set(name, may);
    return may;
  }
}
