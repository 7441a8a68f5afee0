import { type ApiClient, ApiError } from './client.ts';

/** What a command works with: the node's API, and where it prints. */
export interface Context {
  readonly api: ApiClient;
  readonly out: NodeJS.WritableStream;
  readonly err: NodeJS.WritableStream;
  /** True when `out` is a terminal: progress may redraw lines. */
  readonly isTerminal: boolean;
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
  if (failed) process.exitCode = 1;
}

export function describeError(error: unknown): string {
  if (error instanceof ApiError) {
    return `Error response from daemon: ${error.message}`;
  }
  return error instanceof Error ? error.message : String(error);
}
