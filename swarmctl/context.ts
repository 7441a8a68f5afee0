import type { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import { type ApiClient, ApiError } from './client.ts';

/** Standard input: a terminal can be made to pass on every key. */
export interface Input extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(on: boolean): unknown;
}

/** Standard output: a terminal has a size, and emits `resize`. */
export interface Output extends NodeJS.WritableStream {
  readonly columns?: number;
  readonly rows?: number;
}

/** What a command works with: the node's API, and the process it runs in. */
export interface Context {
  readonly api: ApiClient;
  readonly input: Input;
  readonly out: Output;
  readonly err: NodeJS.WritableStream;
  /** True when `out` is a terminal: progress may redraw lines. */
  readonly isTerminal: boolean;
  readonly env: NodeJS.ProcessEnv;
  /** Emits the signals that this process gets, by name. */
  readonly signals: EventEmitter;
  /** How the process will exit unless something is thrown. */
  readonly exit: { code: number };
}

export function print(context: Context, text: string): void {
  context.out.write(`${text}\n`);
}

/** For commands that take several names: does each, reports each failure, fails if any did. */
export async function forEachName(
  context: Context,
  names: readonly string[],
  action: (name: string) => Promise<void>,
): Promise<void> {
  let failed = false;
  for (const name of names) {
    try {
      await action(name);
    } catch (error) {
      failed = true;
      context.err.write(`${describeError(error)}\n`);
    }
  }
  if (failed) context.exit.code = 1;
}

export function describeError(error: unknown): string {
  if (error instanceof ApiError) {
    return `Error response from daemon: ${error.message}`;
  }
  if (isConnectionLost(error)) return 'the connection to swarmd was lost before its answer ended';
  return error instanceof Error ? error.message : String(error);
}

/** The daemon died, or was restarted, in the middle of an answer. */
export function isConnectionLost(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}
