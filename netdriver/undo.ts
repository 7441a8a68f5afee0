/** Steps back, to be taken in reverse when a later step fails. */
export class Undo {
  readonly #steps: (() => unknown)[] = [];

  push(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** Takes every step even when some fail: the first failure is the caller's own. */
  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch {
        // What cannot be undone is found as a leftover by the next start.
      }
    }
  }
}

/** Runs `fn`; when it throws, undoes what it pushed and throws the same. */
export async function undoing<T>(fn: (undo: Undo) => Promise<T>): Promise<T> {
  const undo = new Undo();
  try {
    return await fn(undo);
  } catch (error) {
    await undo.run();
    throw error;
  }
}

/** Takes every step in turn, also after one failed, and then throws what the first failure was. */
export async function allOf(steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
