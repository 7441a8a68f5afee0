import type { Entry, Message } from 'raft-ts';

export interface ApplyThreadEvents {
  apply(entry: Entry): void;
  /** All entries of the message were applied, and its responses may be delivered. */
  done(message: Message): void;
}

const STOPPED = 'the replica has stopped';

/**
 * The apply thread of the core's asynchronous storage writes. It does not run by itself: the event
 * loop calls `run` with the time it may take. Nothing is applied before `begin`, when the state machine
 * has the snapshot that the log begins with: peers may bring entries while it is being loaded.
 */
export class ApplyThread {
  readonly #events: ApplyThreadEvents;
  readonly #now: () => number;
  readonly #queue: Message[] = [];
  readonly #idle: { resolve(): void; reject(error: Error): void }[] = [];
  /** Position in the first message of the queue. */
  #next = 0;
  #begun = false;
  #stopped = false;

  constructor(events: ApplyThreadEvents, now: () => number) {
    this.#events = events;
    this.#now = now;
  }

  push(message: Message): void {
    this.#queue.push(message);
  }

  begin(): void {
    this.#begun = true;
  }

  /**
   * Applies until nothing is left, or `deadline` (of `now`) has passed. True when there is nothing that
   * it could go on with. The core hears of a message in the turn in which its last entry is applied:
   * until then it does not campaign, for what it has not heard of may change the configuration.
   */
  run(deadline: number): boolean {
    if (!this.#begun) return true;
    while (this.#queue.length > 0) {
      const message = this.#queue[0]!;
      const entry = message.entries[this.#next++];
      if (entry) this.#events.apply(entry);
      if (this.#next >= message.entries.length) {
        this.#queue.shift();
        this.#next = 0;
        this.#events.done(message);
      }
      if (this.#queue.length > 0 && this.#now() > deadline) return false;
    }
    for (const waiter of this.#idle.splice(0)) waiter.resolve();
    return true;
  }

  /** Resolves when it has begun and nothing waits to be applied; rejects when it never will. */
  idle(): Promise<void> {
    if (this.#begun && this.#queue.length === 0) return Promise.resolve();
    if (this.#stopped) return Promise.reject(new Error(STOPPED));
    return new Promise((resolve, reject) => this.#idle.push({ resolve, reject }));
  }

  /** Nothing is applied any more. */
  stop(): void {
    this.#stopped = true;
    for (const waiter of this.#idle.splice(0)) waiter.reject(new Error(STOPPED));
  }
}
