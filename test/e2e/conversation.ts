import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { eventually } from '../support/eventually.ts';

/** A command that is talked with: what is sent depends on what it has said. */
export class Conversation {
  readonly #child: ChildProcessWithoutNullStreams;
  #output = '';
  #code: number | undefined;

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(file, args, { env });
    const hear = (data: Buffer) => {
      this.#output += data.toString();
    };
    this.#child.stdout.on('data', hear);
    this.#child.stderr.on('data', hear);
    // It may end while it is talked to.
    this.#child.stdin.on('error', () => undefined);
    this.#child.on('close', (code) => {
      this.#code = code ?? -1;
    });
  }

  /** All that it has printed. */
  get output(): string {
    return this.#output;
  }

  send(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Waits until it has printed something that matches. */
  async says(pattern: RegExp): Promise<void> {
    await eventually(() => assert.match(this.#output, pattern));
  }

  /** Its exit code, once it has ended and said all. */
  async ended(): Promise<number> {
    return eventually(() => {
      assert.notEqual(this.#code, undefined, `it goes on, after it said:\n${this.#output}`);
      return this.#code as number;
    });
  }
}
