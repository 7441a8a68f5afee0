import { Coalescer } from '../coalescer.ts';
import { type Ruleset, renderChange, renderRemoval, renderTable } from './ruleset.ts';
import type { Kernel, Netns } from './types.ts';

/**
 * Keeps one nftables table equal to the last ruleset it was given. While one transaction runs,
 * later rulesets wait, and all that wait become one transaction.
 */
export class TableWriter {
  readonly #kernel: Pick<Kernel, 'nft'>;
  readonly #netns: Netns;
  readonly #writing = new Coalescer(() => this.#write());
  /** Nobody has written this table yet, nor an earlier life of this program. */
  #fresh: boolean;
  #written: Ruleset | undefined;
  #wanted: Ruleset | undefined;

  constructor(
    components: { kernel: Pick<Kernel, 'nft'> },
    init: { netns: Netns; fresh?: boolean },
  ) {
    this.#kernel = components.kernel;
    this.#netns = init.netns;
    this.#fresh = init.fresh ?? false;
  }

  /** Resolves when the table is as given here, or as given later still. */
  set(ruleset: Ruleset): Promise<void> {
    this.#wanted = ruleset;
    return this.#writing.run();
  }

  /** Removes the table. */
  clear(): Promise<void> {
    this.#wanted = undefined;
    return this.#writing.run();
  }

  /** After a failure nothing is known about the table, so the next one is written whole. */
  async #write(): Promise<void> {
    const next = this.#wanted;
    const script = this.#script(next);
    if (!script) return;
    const old = this.#written;
    this.#fresh = false;
    this.#written = undefined;
    try {
      await this.#kernel.nft(this.#netns, script);
      this.#written = next;
    } catch (error) {
      if (!next) this.#written = old;
      throw error;
    }
  }

  #script(next: Ruleset | undefined): string {
    if (!next) return this.#written ? renderRemoval(this.#written) : '';
    if (this.#written) return renderChange(this.#written, next);
    return renderTable(next, { fresh: this.#fresh });
  }
}
