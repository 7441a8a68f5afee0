import { SwarmError } from '../../common/errors.ts';

const DEFAULT_KEYS = 'ctrl-p,ctrl-q';
const CONTROL = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/** Bytes of a sequence as the CLI writes it: `ctrl-p,ctrl-q`, `a,b`, `DEL`. */
export function parseDetachKeys(text: string = DEFAULT_KEYS): number[] {
  return (text || DEFAULT_KEYS).split(',').map((key) => {
    if (key === 'DEL') return 127;
    if (key.length === 1) return key.charCodeAt(0);
    const code =
      key.startsWith('ctrl-') && key.length === 6 ? CONTROL.indexOf(key[5] as string) : -1;
    if (code >= 0) return code;
    throw new SwarmError('SWM_INVALID_ARGUMENT', `Invalid detach keys (${text}) provided`);
  });
}

/** Finds the sequence in typed input, also when it comes in pieces; it is never passed on. */
export class DetachParser {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** `data` is what goes to the process. */
  push(chunk: Uint8Array): { data: Buffer; detached: boolean } {
    const out: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched]) {
        // What looked like the beginning was ordinary input.
        out.push(...this.#keys.slice(0, this.#matched));
        this.#matched = 0;
        if (byte !== this.#keys[0]) {
          out.push(byte);
          continue;
        }
      }
      this.#matched++;
      if (this.#matched === this.#keys.length) return { data: Buffer.from(out), detached: true };
    }
    return { data: Buffer.from(out), detached: false };
  }
}
