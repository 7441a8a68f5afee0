import { SwarmError } from '../../common/errors.ts';
import type { Proposal, Proposer, StateMachine } from '../../manager/consensus/types.ts';

interface Entry {
  readonly index: number;
  readonly data: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A log of one, in memory: commits in a microtask after each proposal, in order. `hold` keeps
 * proposals in flight until `release`, and `lose` is a loss of leadership.
 */
export class LocalProposer implements Proposer {
  /** Every committed entry, to replay on a follower. */
  readonly log: { readonly index: number; readonly data: Uint8Array }[] = [];
  #machine: StateMachine | undefined;
  #inFlight: Entry[] = [];
  #index = 0;
  #held = false;
  #leading = true;
  #scheduled = false;
  #failingIn = 0;

  attach(machine: StateMachine): void {
    this.#machine = machine;
  }

  /** Proposals in flight. */
  get inFlight(): number {
    return this.#inFlight.length;
  }

  propose(data: Uint8Array): Proposal {
    if (!this.#leading) throw new SwarmError('SWM_NOT_LEADER', 'this manager is not the leader');
    if (this.#failingIn > 0 && --this.#failingIn === 0) {
      throw new SwarmError('SWM_UNAVAILABLE', 'leadership is being handed over');
    }
    this.#index += 1;
    const index = this.#index;
    const committed = new Promise<void>((resolve, reject) => {
      this.#inFlight.push({ index, data, resolve, reject });
    });
    committed.catch(() => {});
    this.#schedule();
    return { index, committed };
  }

  /** The proposal after the next `count` is refused, and only that. */
  failAfter(count: number): void {
    this.#failingIn = count + 1;
  }

  hold(): void {
    this.#held = true;
  }

  /** Commits the first `count` of what is in flight; without a count, ends `hold`. */
  release(count?: number): void {
    if (count === undefined) this.#held = false;
    this.#commit(count ?? this.#inFlight.length);
  }

  /**
   * Leadership is gone. The first `surviving` entries in flight are committed by the next leader;
   * their callers are told the same as the others.
   */
  lose(surviving = 0): void {
    this.#leading = false;
    this.#machine?.discardProposals();
    const lost = this.#inFlight.splice(0);
    for (const { index, data } of lost.slice(0, surviving)) this.#apply(index, data);
    this.#index = this.log.at(-1)?.index ?? 0;
    const gone = new SwarmError('SWM_UNAVAILABLE', 'leadership was lost before the commit');
    for (const { reject } of lost) reject(gone);
  }

  /** Leads again; as in Raft, an entry without data takes an index first. */
  lead(): void {
    this.#leading = true;
    this.#index += 1;
  }

  #schedule(): void {
    if (this.#held || this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (!this.#held) this.#commit(this.#inFlight.length);
    });
  }

  #commit(count: number): void {
    for (const { index, data, resolve } of this.#inFlight.splice(0, count)) {
      this.#apply(index, data);
      resolve();
    }
  }

  #apply(index: number, data: Uint8Array): void {
    this.log.push({ index, data });
    this.#machine?.apply(index, data);
  }
}
