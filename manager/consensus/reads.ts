import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';

export interface ReadsComponents {
  readonly clock: Clock;
  readonly random: Random;
}

export interface ReadsInit {
  /** Asks the core; the answer, if it comes, has the same `ctx`. */
  readonly request: (ctx: Uint8Array) => void;
  /** True when there has been no leader for longer than an election takes. */
  readonly isLeaderless: () => boolean;
  /** Has `pump` called soon. */
  readonly wake: () => void;
  readonly appliedIndex: () => number;
}

interface Waiter {
  resolve(index: number): void;
  reject(error: unknown): void;
}

interface Round {
  key: string;
  startedAt: number;
  readonly waiters: Waiter[];
}

const RETRY_MS = 500;
const CTX_SIZE = 16;

export const NO_LEADER_MESSAGE =
  "The swarm does not have a leader. It's possible that too few managers are online. " +
  'Make sure more than half of the managers are online.';

/**
 * Linearizable reads by ReadIndex (Raft thesis 6.4). One round at a time serves all that waited when
 * it began; a read that comes later must not use its answer and waits for the next round. A round may
 * be lost and is then repeated under a new context: an answer to the old one counts for nothing.
 */
export class Reads {
  readonly #clock: Clock;
  readonly #init: ReadsInit;
  /** Random, so that no answer to an earlier life of this process is taken for one of this. */
  readonly #prefix: Uint8Array;
  #counter = 0;
  #waiting: Waiter[] = [];
  #round: Round | undefined;
  /** Confirmed, but not yet applied. */
  #confirmed: { readonly index: number; readonly waiters: readonly Waiter[] }[] = [];

  constructor(components: ReadsComponents, init: ReadsInit) {
    this.#clock = components.clock;
    this.#init = init;
    this.#prefix = components.random.bytes(CTX_SIZE - 6);
  }

  read(signal?: AbortSignal): Promise<number> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#init.isLeaderless()) return Promise.reject(noLeader());
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal?.reason);
      const settled = () => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push({
        resolve: (index) => {
          settled();
          resolve(index);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#init.wake();
    });
  }

  /** Begins a round if none is under way and someone waits. */
  pump(): void {
    if (this.#round || this.#waiting.length === 0) return;
    this.#round = { key: '', startedAt: 0, waiters: this.#waiting };
    this.#waiting = [];
    this.#ask(this.#round);
  }

  answered(ctx: Uint8Array, index: number): void {
    const round = this.#round;
    if (!round || round.key !== keyOf(ctx)) return;
    this.#round = undefined;
    this.#confirmed.push({ index, waiters: round.waiters });
    this.applied(this.#init.appliedIndex());
    if (this.#waiting.length > 0) this.#init.wake();
  }

  /** Indexes of later rounds are not lower, so the list is in order. */
  applied(index: number): void {
    while (this.#confirmed.length > 0 && this.#confirmed[0]!.index <= index) {
      const { waiters, index: at } = this.#confirmed.shift()!;
      for (const waiter of waiters) waiter.resolve(at);
    }
  }

  /** To be called every tick. */
  tick(): void {
    if (!this.#round && this.#waiting.length === 0) return;
    if (this.#init.isLeaderless()) this.#rejectUnanswered(noLeader());
    const round = this.#round;
    if (round && this.#clock.monotonic() - round.startedAt >= RETRY_MS) this.#ask(round);
  }

  close(error: SwarmError): void {
    this.#rejectUnanswered(error);
    for (const { waiters } of this.#confirmed.splice(0)) {
      for (const waiter of waiters) waiter.reject(error);
    }
  }

  #ask(round: Round): void {
    const ctx = Buffer.alloc(CTX_SIZE);
    ctx.set(this.#prefix);
    ctx.writeUIntBE(++this.#counter, CTX_SIZE - 6, 6);
    round.key = keyOf(ctx);
    round.startedAt = this.#clock.monotonic();
    this.#init.request(ctx);
  }

  #rejectUnanswered(error: SwarmError): void {
    const waiters = [...(this.#round?.waiters ?? []), ...this.#waiting];
    this.#round = undefined;
    this.#waiting = [];
    for (const waiter of waiters) waiter.reject(error);
  }
}

export function noLeader(): SwarmError {
  return new SwarmError('SWM_NO_LEADER', NO_LEADER_MESSAGE);
}

function keyOf(ctx: Uint8Array): string {
  return Buffer.from(ctx.buffer, ctx.byteOffset, ctx.length).toString('latin1');
}
