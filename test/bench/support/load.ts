import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface LoadReport {
  readonly answered: number;
  readonly failures: readonly Failure[];
}

export interface Failure {
  readonly target: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly begun: number;
  readonly ended: number;
}

const PROGRAM = fileURLToPath(new URL('./http-load.ts', import.meta.url));

/** HTTP requests from a network namespace, from `start` to `stop`. */
export class Load {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #output: Buffer[] = [];

  private constructor(netns: string, clients: number, targets: readonly string[]) {
    const node = [process.execPath, '--import', 'tsx', PROGRAM, `${clients}`, ...targets];
    this.#child = spawn('nsenter', [`--net=/run/netns/${netns}`, ...node], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout.on('data', (chunk) => this.#output.push(chunk));
  }

  static start(netns: string, clients: number, targets: readonly string[]): Load {
    return new Load(netns, clients, targets);
  }

  async stop(): Promise<LoadReport> {
    const closed = once(this.#child, 'close');
    this.#child.stdin.end();
    await closed;
    return JSON.parse(Buffer.concat(this.#output).toString()) as LoadReport;
  }
}
