import type { Clock, Timer } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';

export interface FailoverComponents {
  readonly clock: Clock;
  readonly random: Random;
}

export interface FailoverInit {
  readonly selfId: number;
  readonly leaderId: () => number;
  readonly voters: () => readonly number[];
  readonly forgetLeader: () => void;
  readonly campaign: () => void;
}

/** Long enough for all followers to find out by themselves that the leader is gone. */
const FIRST_MS = 20;
/** Between two followers, so that the votes are not split. */
const STEP_MS = 150;
const JITTER_MS = 20;

/**
 * Replaces a leader whose process is gone without waiting for the election timeout. When the host
 * answers that nobody listens, the followers give up the leader and campaign in the order of their
 * ids. This is safe whatever they believe: the preliminary vote (Raft thesis 9.6) only succeeds with
 * a majority that has given up the leader as well, and changes nothing for a leader that is well.
 */
export class Failover {
  readonly #components: FailoverComponents;
  readonly #init: FailoverInit;
  #timer: Timer | undefined;

  constructor(components: FailoverComponents, init: FailoverInit) {
    this.#components = components;
    this.#init = init;
  }

  /** The host of this peer says that nobody listens at its address. */
  refused(raftId: number): void {
    const { selfId, leaderId, voters, forgetLeader } = this.#init;
    if (raftId !== leaderId() || raftId === selfId) return;
    const heirs = voters().filter((id) => id !== raftId);
    const rank = heirs.indexOf(selfId);
    if (rank < 0) return;
    forgetLeader();
    const { clock, random } = this.#components;
    const delay = FIRST_MS + rank * STEP_MS + random.float() * JITTER_MS;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(delay, () => {
      if (leaderId() === 0) this.#init.campaign();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
