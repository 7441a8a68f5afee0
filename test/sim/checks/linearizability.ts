/**
 * Is a history of operations on one register what some sequential order of them would give, in which
 * each takes effect between its call and its return? The search of Wing and Gong with the memory of
 * Lowe (as in Porcupine): states that were tried with the same operations done are not tried again.
 */

export type RegisterOperation =
  | { readonly kind: 'read'; readonly value: string }
  | { readonly kind: 'write'; readonly value: string }
  | { readonly kind: 'swap'; readonly expected: string; readonly value: string };

/** `returned` is Infinity when nobody knows whether it took effect: it may then do so at any time. */
export interface Recorded {
  readonly called: number;
  readonly returned: number;
  readonly operation: RegisterOperation;
}

export type Verdict =
  | { readonly ok: true }
  /** The longest prefix that has an order; and what then had to come next and could not. */
  | { readonly ok: false; readonly done: number; readonly stuck: readonly Recorded[] };

export function checkRegister(history: readonly Recorded[], initial: string): Verdict {
  const operations = relevant(history).sort((a, b) => a.called - b.called);
  return new Search(operations).run(initial);
}

/** An operation of unknown outcome whose value nobody saw may as well not have happened. */
function relevant(history: readonly Recorded[]): Recorded[] {
  const seen = new Set<string>();
  for (const { operation, returned } of history) {
    if (operation.kind === 'read' && returned < Infinity) seen.add(operation.value);
    if (operation.kind === 'swap') seen.add(operation.expected);
  }
  return history.filter(({ operation, returned }) => {
    if (returned < Infinity) return true;
    return operation.kind !== 'read' && seen.has(operation.value);
  });
}

/** The state after `operation`, or undefined when it cannot come next. */
function step(state: string, operation: RegisterOperation): string | undefined {
  switch (operation.kind) {
    case 'read':
      return operation.value === state ? state : undefined;
    case 'write':
      return operation.value;
    case 'swap':
      return operation.expected === state ? operation.value : undefined;
  }
}

class Search {
  readonly #operations: readonly Recorded[];
  readonly #tried = new Set<string>();
  /** What is done, in the order of the search, with the state before it. */
  readonly #path: { readonly index: number; readonly before: string }[] = [];
  readonly #done: boolean[];
  #best = 0;
  #stuck: readonly Recorded[] = [];

  constructor(operations: readonly Recorded[]) {
    this.#operations = operations;
    this.#done = operations.map(() => false);
  }

  run(initial: string): Verdict {
    let state = initial;
    let from = 0;
    for (;;) {
      const next = this.#next(state, from);
      if (next) {
        this.#done[next.index] = true;
        this.#path.push({ index: next.index, before: state });
        state = next.state;
        from = 0;
      } else if (this.#isOver()) return { ok: true };
      else {
        this.#note();
        const last = this.#path.pop();
        if (!last) return { ok: false, done: this.#best, stuck: this.#stuck };
        this.#done[last.index] = false;
        state = last.before;
        from = last.index + 1;
      }
    }
  }

  /** The next operation, from `from` on, that may come now and leads to something new. */
  #next(state: string, from: number): { index: number; state: string } | undefined {
    for (const index of this.#candidates()) {
      if (index < from) continue;
      const after = step(state, this.#operations[index]!.operation);
      if (after === undefined) continue;
      this.#done[index] = true;
      const key = this.#key(after);
      this.#done[index] = false;
      if (this.#tried.has(key)) continue;
      this.#tried.add(key);
      return { index, state: after };
    }
    return undefined;
  }

  /** Those that no other one, still to be done, had returned before they were called. */
  #candidates(): number[] {
    const open: number[] = [];
    let firstReturn = Infinity;
    for (let i = 0; i < this.#operations.length; i++) {
      if (this.#done[i]) continue;
      const { called, returned } = this.#operations[i]!;
      if (called > firstReturn) break;
      firstReturn = Math.min(firstReturn, returned);
      open.push(i);
    }
    return open;
  }

  /** Operations that never returned need not be done. */
  #isOver(): boolean {
    return this.#operations.every(({ returned }, i) => this.#done[i] || returned === Infinity);
  }

  #note(): void {
    if (this.#path.length < this.#best) return;
    this.#best = this.#path.length;
    this.#stuck = this.#candidates().map((i) => this.#operations[i]!);
  }

  /** Everything before the first that is not done is; the rest as bits. */
  #key(state: string): string {
    const first = this.#done.indexOf(false);
    if (first < 0) return `all ${state}`;
    let bits = '';
    for (let i = first; i < this.#done.length; i++) bits += this.#done[i] ? '1' : '0';
    return `${first} ${bits.replace(/0+$/, '')} ${state}`;
  }
}
