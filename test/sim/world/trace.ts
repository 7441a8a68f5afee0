import { createHash } from 'node:crypto';

const TIME_WIDTH = 10;
const WHO_WIDTH = 5;
const KIND_WIDTH = 8;
/** Characters that are hashed at once. */
const BLOCK = 32 * 1024;
const HASH_DIGITS = 16;

/**
 * The story of a run, a line per event:
 *
 *   time (ms, 3 decimals)  who  kind  details
 *
 * Two runs are the same exactly when their hashes are.
 */
export class Trace {
  readonly #print: ((line: string) => void) | undefined;
  readonly #hash = createHash('sha256');
  #block = '';
  #lines = 0;

  constructor(print?: (line: string) => void) {
    this.#print = print;
  }

  get lines(): number {
    return this.#lines;
  }

  /** Of all lines so far. */
  get hash(): string {
    return this.#hash.copy().update(this.#block).digest('hex').slice(0, HASH_DIGITS);
  }

  add(time: number, who: string, kind: string, details: string): void {
    this.#lines++;
    const at = time.toFixed(3).padStart(TIME_WIDTH);
    const line = `${at}  ${who.padEnd(WHO_WIDTH)} ${kind.padEnd(KIND_WIDTH)} ${details}`;
    this.#block += line;
    if (this.#block.length > BLOCK) {
      this.#hash.update(this.#block);
      this.#block = '';
    }
    this.#print?.(line);
  }
}
