/** What is wrong with a text that `JSON.parse` refused. */
export type JsonFault =
  | { readonly kind: 'empty' }
  | { readonly kind: 'trailing' } // a whole value, and something after it
  | { readonly kind: 'syntax'; readonly reason: string };

/** Finds the first fault. The reasons are worded as Docker's clients know them. */
export function findJsonFault(text: string): JsonFault {
  const scanner = new Scanner(text);
  if (scanner.atEnd()) return { kind: 'empty' };
  try {
    scanner.value();
  } catch (error) {
    if (error instanceof Fault) return { kind: 'syntax', reason: error.message };
    throw error;
  }
  return { kind: 'trailing' };
}

class Fault extends Error {}

/** Deeper than any API body, and far from the end of the stack. */
const MAX_DEPTH = 1_000;

class Scanner {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? 'x')) this.#at++;
    return this.#at >= this.#text.length;
  }

  value(): void {
    const char = this.#next('looking for beginning of value');
    if (char === '{') this.#nested(() => this.#object());
    else if (char === '[') this.#nested(() => this.#array());
    else if (char === '"') this.#string();
    else if (char === 't') this.#literal('true');
    else if (char === 'f') this.#literal('false');
    else if (char === 'n') this.#literal('null');
    else this.#number();
  }

  #number(): void {
    const number = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/.exec(this.#text.slice(this.#at));
    if (!number) this.#fail('looking for beginning of value');
    this.#at += number[0].length;
  }

  #object(): void {
    this.#at++;
    let char = this.#next('looking for beginning of object key string');
    while (char !== '}') {
      if (this.#next('looking for beginning of object key string') !== '"') {
        this.#fail('looking for beginning of object key string');
      }
      this.#string();
      if (this.#next('after object key') !== ':') this.#fail('after object key');
      this.#at++;
      this.value();
      char = this.#next('after object key:value pair');
      if (char === ',') this.#at++;
      else if (char !== '}') this.#fail('after object key:value pair');
    }
    this.#at++;
  }

  #array(): void {
    this.#at++;
    let char = this.#next('looking for beginning of value');
    while (char !== ']') {
      this.value();
      char = this.#next('after array element');
      if (char === ',') this.#at++;
      else if (char !== ']') this.#fail('after array element');
    }
    this.#at++;
  }

  #string(): void {
    this.#at++;
    while (this.#text[this.#at] !== '"') {
      const char = this.#text[this.#at];
      if (char === undefined) throw new Fault('unexpected EOF');
      if (char < ' ') this.#fail('in string literal');
      if (char === '\\') this.#escape();
      this.#at++;
    }
    this.#at++;
  }

  #escape(): void {
    this.#at++;
    const char = this.#text[this.#at];
    if (char === undefined) throw new Fault('unexpected EOF');
    if (!/["\\/bfnrtu]/.test(char)) this.#fail('in string escape code');
    if (char !== 'u') return;
    for (let digit = 0; digit < 4; digit++) {
      this.#at++;
      if (this.#at >= this.#text.length) throw new Fault('unexpected EOF');
      if (!/[0-9a-fA-F]/.test(this.#text[this.#at] as string)) {
        this.#fail('in \\u hexadecimal character escape');
      }
    }
  }

  #literal(word: string): void {
    for (let i = 1; i < word.length; i++) {
      this.#at++;
      if (this.#at >= this.#text.length) throw new Fault('unexpected EOF');
      if (this.#text[this.#at] !== word[i]) {
        this.#fail(`in literal ${word} (expecting '${word[i]}')`);
      }
    }
    this.#at++;
  }

  #nested(scan: () => void): void {
    if (++this.#depth > MAX_DEPTH) throw new Fault('exceeded max depth');
    scan();
    this.#depth--;
  }

  #next(context: string): string {
    if (this.atEnd()) throw new Fault('unexpected EOF');
    const char = this.#text[this.#at];
    if (char === undefined) this.#fail(context);
    return char;
  }

  #fail(context: string): never {
    const char = this.#text[this.#at] ?? '';
    const shown = char === "'" ? `'\\''` : char === '"' ? `'"'` : `'${char}'`;
    throw new Fault(`invalid character ${shown} ${context}`);
  }
}
