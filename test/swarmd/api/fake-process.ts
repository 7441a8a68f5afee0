import { Duplex } from 'node:stream';
import { frame } from '../../../swarmd/api/http/multiplex.ts';

/** What a process reads and writes, and how it ended. */
export class FakeProcess extends Duplex {
  readonly #tty: boolean;
  #onInput: ((data: Buffer) => void) | undefined;
  #onInputEnd: () => void = () => {};
  /** Input that came before the process did. */
  #early: Buffer[] = [];

  constructor(tty: boolean) {
    super({ allowHalfOpen: true });
    this.#tty = tty;
  }

  print(stream: 1 | 2, text: string): void {
    const data = Buffer.from(text);
    this.push(this.#tty ? data : frame(stream, data));
  }

  input(onInput: (data: Buffer) => void, onEnd: () => void): void {
    this.#onInput = onInput;
    this.#onInputEnd = onEnd;
    for (const data of this.#early.splice(0)) onInput(data);
    if (this.writableFinished) onEnd();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.#onInput) this.#onInput(chunk);
    else this.#early.push(chunk);
    done();
  }

  override _final(done: () => void): void {
    this.#onInputEnd();
    done();
  }
}

/** Runs `echo WORDS`, `cat` or `exit CODE`; anything else sleeps and never ends by itself. */
export function run(
  command: readonly string[],
  outputs: FakeProcess[],
  exit: (code: number) => void,
): void {
  const [name, ...args] = command;
  if (name === 'echo') {
    for (const output of outputs) {
      output.print(1, `${args.join(' ')}\n`);
      output.print(2, 'warned\n');
    }
    exit(0);
  } else if (name === 'exit') {
    exit(Number(args[0]));
  } else if (name === 'cat') {
    for (const output of outputs) {
      output.input(
        (data) => output.print(1, data.toString()),
        () => exit(0),
      );
    }
  }
}
