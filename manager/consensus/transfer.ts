import type { Status } from 'raft-ts';
import { unlessAborted } from '../../common/abort.ts';
import { SwarmError } from '../../common/errors.ts';

export interface TransferInit {
  readonly selfId: number;
  readonly isRaftLeader: () => boolean;
  readonly status: () => Status;
  readonly isReachable: (raftId: number) => boolean;
  readonly transferLeader: (to: number) => void;
}

/** Handing over leadership (Raft thesis 3.10). While it goes on the leader takes no proposals. */
export class Transfer {
  readonly #init: TransferInit;
  #waiters: { resolve(): void; reject(error: unknown): void }[] = [];
  #active = false;

  constructor(init: TransferInit) {
    this.#init = init;
  }

  get active(): boolean {
    return this.#active;
  }

  /** Resolves when this manager does not lead any more. The core gives up after an election timeout. */
  async start(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const heir = this.#heir();
    if (heir === undefined) {
      const message = 'There is no other manager that could take over leadership now.';
      throw new SwarmError('SWM_FAILED_PRECONDITION', message);
    }
    this.#active = true;
    this.#init.transferLeader(heir);
    const handedOver = new Promise<void>((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
    return signal ? unlessAborted(handedOver, signal) : handedOver;
  }

  /** To be called when the role changed, and every tick. */
  check(): void {
    if (!this.#active) return;
    const leads = this.#init.isRaftLeader();
    if (leads && this.#init.status().leadTransferee !== 0) return;
    this.#active = false;
    for (const waiter of this.#waiters.splice(0)) {
      if (!leads) waiter.resolve();
      else {
        const message = 'The manager that was to take over leadership did not do so in time.';
        waiter.reject(new SwarmError('SWM_UNAVAILABLE', message));
      }
    }
  }

  close(reason: SwarmError): void {
    this.#active = false;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(reason);
  }

  /** The reachable voter with the longest log. */
  #heir(): number | undefined {
    const { selfId, isReachable } = this.#init;
    return this.#init
      .status()
      .progress.filter(({ id, isLearner }) => id !== selfId && !isLearner && isReachable(id))
      .sort((a, b) => b.match - a.match || a.id - b.id)[0]?.id;
  }
}
