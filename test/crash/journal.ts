import { openSync, readFileSync, writeSync } from 'node:fs';
import type { Synced } from './watched-log-db.ts';

/** What a process says before it dies. */
export type Line =
  /** Up, with what it found; `unlockKey` is '' while the cluster is not locked. */
  | { readonly type: 'up'; readonly found: readonly string[]; readonly unlockKey: string }
  /** It is going to ask for `name` to be there (or not to be). */
  | { readonly type: 'try'; readonly name: string; readonly present: boolean }
  /** It was told that this is so. */
  | { readonly type: 'done'; readonly name: string; readonly present: boolean }
  /** The managers have this unlock key from now on; its holder knows it. '' for none. */
  | { readonly type: 'key'; readonly unlockKey: string }
  | { readonly type: 'synced'; readonly synced: Synced }
  /** The end of the work, with how often each kind of disk operation was begun. */
  | { readonly type: 'end'; readonly counts: readonly (readonly [string, number])[] }
  | { readonly type: 'failed'; readonly error: string };

/** A file of lines that survives SIGKILL: each is handed to the system before `write` returns. */
export class Journal {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(line: Line): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

export function readJournal(path: string): Line[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}
