/**
 * What a command prints: its own text and the log lines of the nodes, in order. At level `none` nothing
 * is printed at all.
 */

import type { Logger } from '../../../../manager/raft/index.ts';
import { CommandError } from '../arguments.ts';

const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'none'] as const;
export type Level = (typeof LEVELS)[number];

export class Output implements Logger {
  level: Level = 'debug';
  #text = '';

  get isQuiet(): boolean {
    return this.level === 'none';
  }

  get text(): string {
    return this.#text;
  }

  reset(): void {
    this.#text = '';
  }

  write(text: string): void {
    if (!this.isQuiet) this.#text += text;
  }

  /** Indents, by two, every line that `print` prints. */
  indented(print: () => void): void {
    const before = this.#text;
    this.#text = '';
    try {
      print();
    } finally {
      const lines = this.#text.split('\n');
      if (lines.at(-1) === '') lines.pop();
      this.#text = before + lines.map((line) => `  ${line}\n`).join('');
    }
  }

  setLevel(name: string): void {
    const level = LEVELS.find((each) => each === name.toLowerCase());
    if (level === undefined)
      throw new CommandError(`log level "${name}": wanted one of ${LEVELS.join()}`);
    this.level = level;
  }

  debug(text: string): void {
    this.#log('debug', text);
  }

  info(text: string): void {
    this.#log('info', text);
  }

  warn(text: string): void {
    this.#log('warn', text);
  }

  error(text: string): void {
    this.#log('error', text);
  }

  #log(level: Level, text: string): void {
    if (LEVELS.indexOf(this.level) > LEVELS.indexOf(level)) return;
    this.write(`${level.toUpperCase()} ${text}\n`);
  }
}
