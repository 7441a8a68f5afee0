import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import { PROPOSAL_BYTES_MAX, UNCOMMITTED_BYTES_MAX } from './constants.ts';

export interface ProposalsComponents {
  readonly clock: Clock;
  /** Told how long each of them took until it was applied, milliseconds. */
  readonly onProposed?: ((ms: number) => void) | undefined;
}

interface Waiter {
  readonly index: number;
  readonly bytes: number;
  /** When it was proposed, monotonic milliseconds. */
  readonly at: number;
  resolve(): void;
  reject(error: SwarmError): void;
}

/**
 * Those who wait for their entries to be applied, in log order. Each gets exactly one outcome: its
 * entry was applied while this manager led without a break since the proposal, or leadership ended.
 */
export class Proposals {
  readonly #components: ProposalsComponents;
  #waiters: Waiter[] = [];
  #head = 0;
  #bytes = 0;

  constructor(components: ProposalsComponents) {
    this.#components = components;
  }

  /** Payload of the entries that are waited for. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Throws SWM_RESOURCE_EXHAUSTED when a proposal of that size cannot be taken, now or at all. */
  checkRoom(bytes: number): void {
    if (bytes > PROPOSAL_BYTES_MAX) {
      const message = `The change takes ${bytes} bytes, and the limit is ${PROPOSAL_BYTES_MAX}.`;
      throw new SwarmError('SWM_RESOURCE_EXHAUSTED', message);
    }
    if (this.#bytes + bytes > UNCOMMITTED_BYTES_MAX) {
      const message = `${this.#bytes} bytes of changes wait to be replicated already.`;
      throw new SwarmError('SWM_RESOURCE_EXHAUSTED', message, { hint: 'Try again later.' });
    }
  }

  /** Indexes come in growing order. */
  add(index: number, bytes: number): Promise<void> {
    this.#bytes += bytes;
    const at = this.#components.clock.monotonic();
    const outcome = new Promise<void>((resolve, reject) => {
      this.#waiters.push({ index, bytes, at, resolve, reject });
    });
    // Whoever does not look at the outcome must not bring the process down with it.
    outcome.catch(() => undefined);
    return outcome;
  }

  applied(index: number): void {
    const { clock, onProposed } = this.#components;
    const now = clock.monotonic();
    while (this.#head < this.#waiters.length && this.#waiters[this.#head]!.index <= index) {
      const waiter = this.#waiters[this.#head++]!;
      this.#bytes -= waiter.bytes;
      onProposed?.(now - waiter.at);
      waiter.resolve();
    }
    if (this.#head > 1024 && this.#head * 2 > this.#waiters.length) {
      this.#waiters = this.#waiters.slice(this.#head);
      this.#head = 0;
    }
  }

  rejectAll(error: SwarmError): void {
    const waiters = this.#waiters.slice(this.#head);
    this.#waiters = [];
    this.#head = 0;
    this.#bytes = 0;
    for (const waiter of waiters) waiter.reject(error);
  }
}
