const FNV_PRIME = 0x01000193;
const TIME_WIDTH = 10;
const WHO_WIDTH = 5;
const KIND_WIDTH = 8;

/**
 * The story of a run, a line per event:
 *
 *   time (ms, 3 decimals)  who  kind  details
 *
 * Two runs are the same exactly when their hashes are.
 */
export class Trace {
  readonly #print: ((line: string) => void) | undefined;
  /** Two FNV-1a hashes with different offsets, 64 bits together. */
  #low = 0x811c9dc5;
  #high = 0x9747b28c;
  #lines = 0;

  constructor(print?: (line: string) => void) {
    this.#print = print;
  }

  get lines(): number {
    return this.#lines;
  }

  get hash(): string {
    return [this.#high, this.#low].map((n) => n.toString(16).padStart(8, '0')).join('');
  }

  add(time: number, who: string, kind: string, details: string): void {
    this.#lines++;
    const at = time.toFixed(3).padStart(TIME_WIDTH);
    const line = `${at}  ${who.padEnd(WHO_WIDTH)} ${kind.padEnd(KIND_WIDTH)} ${details}`;
    for (let i = 0; i < line.length; i++) {
      const code = line.charCodeAt(i);
      this.#low = Math.imul(this.#low ^ code, FNV_PRIME) >>> 0;
      this.#high = Math.imul(this.#high ^ (code + 1), FNV_PRIME) >>> 0;
    }
    this.#print?.(line);
  }
}
