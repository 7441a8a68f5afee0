import type { FaultChoice } from '../cluster/faults.ts';
import type { RunResult } from '../run.ts';

/** What a process of a batch is told to do. */
export interface Order {
  readonly seed: number;
  readonly faults: FaultChoice;
}

/** What became of it, as it goes between processes. */
export interface Outcome extends Omit<RunResult, 'failure'> {
  readonly failure: string | undefined;
  /** Of the process that ran it, bytes. */
  readonly rss: number;
}
