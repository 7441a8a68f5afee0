import { Transform, type TransformCallback } from 'node:stream';
import { CliError } from '../cli-error.ts';

const DEFAULT_KEYS = 'ctrl-p,ctrl-q';
const CONTROL = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/** The bytes of `ctrl-p,ctrl-q`, `a,b` or `DEL`. */
export function parseDetachKeys(text: string | undefined): number[] {
  return (text || DEFAULT_KEYS).split(',').map((key) => {
    if (key === 'DEL') return 127;
    if (key.length === 1) return key.charCodeAt(0);
    const [, letter = '?'] = /^ctrl-(.)$/.exec(key.toLowerCase()) ?? [];
    const code = CONTROL.indexOf(letter);
    if (code >= 0) return code;
    throw new CliError(
      `invalid detach keys (${text}): use a letter, ctrl-LETTER, or a list of them`,
    );
  });
}

/**
 * Passes everything on (the server acts on the keys) and remembers whether they were typed, so that
 * the end of the output can be told from the end of the container.
 */
export class DetachWatcher extends Transform {
  readonly #keys: readonly number[];
  #matched = 0;
  #typed = false;

  constructor(keys: readonly number[]) {
    super();
    this.#keys = keys;
  }

  get typed(): boolean {
    return this.#typed;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched]) this.#matched = 0;
      if (byte === this.#keys[this.#matched]) this.#matched += 1;
      if (this.#matched < this.#keys.length) continue;
      this.#typed = true;
      this.#matched = 0;
    }
    done(null, chunk);
  }
}
