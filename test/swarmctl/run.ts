import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { runCommandLine } from '../../swarmctl/program.ts';
import type { FakeEngine } from './fake-engine.ts';

export interface RunOptions {
  /** What comes through standard input; without, nothing does, and it ends at once. */
  readonly stdin?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Instead of pipes. */
  readonly terminal?: FakeTerminal;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line against the engine, in this process. */
export async function run(
  engine: FakeEngine | undefined,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const terminal = options.terminal;
  const input = new PassThrough();
  input.end(options.stdin ?? '');
  const [out, err] = [terminal?.output ?? new Sink(), new Sink()];
  const host = engine ? ['-H', engine.host] : [];
  const code = await runCommandLine([...host, ...args], {
    env: { DOCKER_CONFIG: '/nonexistent', ...options.env },
    input: terminal?.input ?? input,
    out,
    err,
    isTerminal: terminal !== undefined,
    signals: terminal?.signals ?? new EventEmitter(),
  });
  return { code, stdout: out.text, stderr: err.text };
}

class Sink extends PassThrough {
  text = '';
  columns = 0;
  rows = 0;

  constructor() {
    super();
    this.on('data', (chunk) => {
      this.text += chunk;
    });
  }
}

/** What a person types at and looks at. */
export class FakeTerminal {
  readonly signals = new EventEmitter();
  readonly output = new Sink();
  readonly rawModes: boolean[] = [];
  readonly input: PassThrough & { isTTY: boolean; setRawMode: (on: boolean) => void };

  constructor(size = { rows: 24, columns: 80 }) {
    this.input = Object.assign(new PassThrough(), {
      isTTY: true,
      setRawMode: (on: boolean) => void this.rawModes.push(on),
    });
    Object.assign(this.output, size);
  }

  type(text: string): void {
    this.input.write(text);
  }

  resize(size: { rows: number; columns: number }): void {
    Object.assign(this.output, size);
    this.output.emit('resize');
  }
}
