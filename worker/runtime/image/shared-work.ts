import { setMaxListeners } from 'node:events';

/**
 * Work that several callers want at the same time is done once. It is given up only when every
 * caller has given up.
 */
export class SharedWork<Message, Result> {
  readonly #running = new Map<string, Shared<Message, Result>>();
  readonly #replayed: (message: Message) => boolean;

  /** `replayed` tells what is still of interest to those who come later. */
  constructor(init: { replayed: (message: Message) => boolean }) {
    this.#replayed = init.replayed;
  }

  join(
    key: string,
    work: (tell: (message: Message) => void, signal: AbortSignal) => Promise<Result>,
    caller: { listener?: (message: Message) => void; signal?: AbortSignal },
  ): Promise<Result> {
    let shared = this.#running.get(key);
    if (!shared) {
      shared = new Shared(work, this.#replayed, () => this.#running.delete(key));
      this.#running.set(key, shared);
    }
    return shared.join(caller);
  }
}

class Shared<Message, Result> {
  readonly #abort = new AbortController();
  readonly #told: Message[] = [];
  readonly #listeners = new Set<(message: Message) => void>();
  readonly #result: Promise<Result>;
  #callers = 0;

  constructor(
    work: (tell: (message: Message) => void, signal: AbortSignal) => Promise<Result>,
    replayed: (message: Message) => boolean,
    done: () => void,
  ) {
    // Each request of a download listens.
    setMaxListeners(0, this.#abort.signal);
    const tell = (message: Message) => {
      if (replayed(message)) this.#told.push(message);
      for (const listener of this.#listeners) listener(message);
    };
    // Not before the first caller listens.
    this.#result = Promise.resolve()
      .then(() => work(tell, this.#abort.signal))
      .finally(done);
    // Each caller gets the failure; one that nobody waits for any more is none.
    this.#result.catch(() => {});
  }

  join(caller: { listener?: (message: Message) => void; signal?: AbortSignal }): Promise<Result> {
    const { listener, signal } = caller;
    this.#callers++;
    if (listener) {
      for (const message of this.#told) listener(message);
      this.#listeners.add(listener);
    }
    return new Promise<Result>((resolve, reject) => {
      const leave = () => {
        if (listener) this.#listeners.delete(listener);
        if (--this.#callers === 0) this.#abort.abort(signal?.reason);
        reject(signal?.reason);
      };
      if (signal?.aborted) return leave();
      signal?.addEventListener('abort', leave, { once: true });
      void this.#result.then(resolve, reject).finally(() => {
        signal?.removeEventListener('abort', leave);
        if (listener) this.#listeners.delete(listener);
      });
    });
  }
}
