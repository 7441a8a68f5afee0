/**
 * Runs one job at a time. Calls that come while it runs share one more run after it, so that a
 * burst of changes costs two runs however many it holds.
 */
export class Coalescer {
  readonly #job: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(job: () => Promise<void>) {
    this.#job = job;
  }

  /** Resolves when a run that began after this call has ended; rejects when that run failed. */
  run(): Promise<void> {
    if (!this.#running) return this.#start();
    const start = () => this.#start();
    this.#next ??= this.#running.then(start, start);
    return this.#next;
  }

  /** Resolves when nothing runs, whatever became of it. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running.catch(() => {});
  }

  #start(): Promise<void> {
    this.#next = undefined;
    const run = this.#job().finally(() => {
      // With a next run waiting, calls join that one instead of starting beside it.
      if (!this.#next) this.#running = undefined;
    });
    this.#running = run;
    return run;
  }
}
