import {
  checkRegister,
  type Recorded,
  type RegisterOperation,
} from '../sim/checks/linearizability.ts';
import type { Verdict } from './outcomes.ts';

export interface Counts {
  readonly ok: number;
  readonly never: number;
  readonly unknown: number;
}

/**
 * What all clients did and saw. Calls and returns get numbers in the order in which they happened,
 * which in one process is the order of real time.
 */
export class History {
  readonly #registers = new Map<string, Recorded[]>();
  readonly #added: Record<Verdict, Set<string>> = {
    ok: new Set(),
    never: new Set(),
    unknown: new Set(),
  };
  readonly #counts = { ok: 0, never: 0, unknown: 0 };
  #stamp = 0;

  get counts(): Counts {
    return { ...this.#counts };
  }

  /** The number of an operation that begins now. */
  call(): number {
    return ++this.#stamp;
  }

  /** The operation that was called at `called` on `register` has returned just now. */
  returned(register: string, called: number, operation: RegisterOperation, verdict: Verdict): void {
    this.#counts[verdict]++;
    if (verdict === 'never' || (verdict === 'unknown' && operation.kind === 'read')) return;
    const returned = verdict === 'ok' ? ++this.#stamp : Number.POSITIVE_INFINITY;
    const recorded = this.#registers.get(register) ?? [];
    recorded.push({ called, returned, operation });
    this.#registers.set(register, recorded);
  }

  added(name: string, verdict: Verdict): void {
    this.#counts[verdict]++;
    this.#added[verdict].add(name);
  }

  /** What is wrong with the registers, a line each: empty when their order can be explained. */
  judgeRegisters(initial: string): string[] {
    return [...this.#registers].flatMap(([register, recorded]) => {
      const verdict = checkRegister(recorded, initial);
      if (verdict.ok) return [];
      const stuck = verdict.stuck.map((each) => JSON.stringify(each)).join(' ');
      const what = `no order explains its ${recorded.length} operations`;
      return [`${register}: ${what}; after ${verdict.done} of them: ${stuck}`];
    });
  }

  /** The same for what was added, and `present` at `host` in the end. */
  judgeAdded(host: string, present: ReadonlySet<string>): string[] {
    const problems: string[] = [];
    const complain = (name: string, what: string) => problems.push(`${host}: ${name} ${what}`);
    for (const name of this.#added.ok) {
      if (!present.has(name)) complain(name, 'was acknowledged, and is lost');
    }
    for (const name of present) {
      if (this.#added.never.has(name)) complain(name, 'is there, though it was refused');
      else if (!this.#added.ok.has(name) && !this.#added.unknown.has(name)) {
        complain(name, 'is there, and nobody made it');
      }
    }
    return problems;
  }
}
