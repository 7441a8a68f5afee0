import type { Duplex } from 'node:stream';
import { CliError } from '../cli-error.ts';
import { type Context, isConnectionLost } from '../context.ts';
import { copyOutput } from './copy-output.ts';
import { DetachWatcher, parseDetachKeys } from './detach-keys.ts';

export interface SessionInit {
  /** The process has a terminal. */
  readonly tty: boolean;
  /** Pass on what is typed, or comes through a pipe. */
  readonly stdin: boolean;
  readonly detachKeys?: string | undefined;
}

/** Throws when a terminal is asked for and there is none to type at. */
export function requireTerminal(context: Context, init: Pick<SessionInit, 'tty' | 'stdin'>): void {
  if (init.tty && init.stdin && !context.input.isTTY) {
    throw new CliError('the input device is not a TTY');
  }
}

/**
 * Joins the caller's terminal and a process's streams until the process's output ends. `detached`
 * when that was because of the detach keys.
 */
export async function runSession(
  context: Context,
  connection: Duplex,
  init: SessionInit,
): Promise<'ended' | 'detached'> {
  const watcher = new DetachWatcher(parseDetachKeys(init.detachKeys));
  const leaveRawMode = init.tty && init.stdin ? enterRawMode(context) : () => {};
  connection.on('error', () => {}); // Also raised by reading, and thrown there.
  if (init.stdin) context.input.pipe(watcher).pipe(connection);
  try {
    await copyOutput(context, connection, init.tty);
  } catch (error) {
    // A process that ended with input left: there is nobody to write it to, and nothing to read.
    if (!isConnectionLost(error)) throw error;
  } finally {
    context.input.unpipe(watcher).pause();
    leaveRawMode();
    connection.destroy();
  }
  return init.tty && watcher.typed ? 'detached' : 'ended';
}

function enterRawMode({ input }: Context): () => void {
  input.setRawMode?.(true);
  return () => input.setRawMode?.(false);
}

export interface TerminalSize {
  readonly h: number;
  readonly w: number;
}

/**
 * Tells the server the size of the caller's terminal, now and whenever it changes. With `redraw`
 * it changes once at the beginning, so that a program that has long been running draws itself anew.
 */
export function followSize(
  { out, isTerminal }: Context,
  resize: (size: TerminalSize) => Promise<unknown>,
  init: { readonly redraw?: boolean } = {},
): () => void {
  let last: Promise<unknown> = Promise.resolve();
  const tell = (more = 0) => {
    const { rows = 0, columns = 0 } = out;
    if (rows === 0 || columns === 0) return;
    const size = { h: rows + more, w: columns + more };
    // A process that has just ended has no terminal any more, and nobody needs to know.
    last = last.then(() => resize(size)).catch(() => {});
  };
  const onResize = () => tell();
  if (!isTerminal) return () => {};
  if (init.redraw) tell(1);
  tell();
  out.on('resize', onResize);
  return () => out.off('resize', onResize);
}

const PROXIED: readonly NodeJS.Signals[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGCONT',
];

/** What this process is sent goes to the container instead. */
export function proxySignals(
  { signals }: Context,
  send: (signal: string) => Promise<unknown>,
): () => void {
  const listeners = PROXIED.map((name) => {
    const listener = () => {
      send(name).catch(() => {}); // The container ended before it got the signal.
    };
    signals.on(name, listener);
    return () => signals.off(name, listener);
  });
  return () => {
    for (const off of listeners) off();
  };
}
