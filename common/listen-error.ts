import { errorMessage, SwarmError } from './errors.ts';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process already listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'permission denied, or there is no such directory',
};

export interface ListenFailure {
  /** Who cannot listen, as the message begins. */
  readonly who?: string;
  /** The option that says where. */
  readonly option: string;
  /** What the other process may be, as a question. */
  readonly suspect?: string;
}

/**
 * SWM_FAILED_PRECONDITION for a socket that could not be opened at `where`. Libraries wrap what the
 * kernel said in many lines, so that its code is looked for in their text.
 */
export function cannotListen(
  where: string,
  cause: unknown,
  { who, option, suspect }: ListenFailure,
): SwarmError {
  const text = errorMessage(cause);
  const code = Object.keys(REASONS).find((known) => text.includes(known)) ?? '';
  const reason = REASONS[code] ?? text.split('\n', 1)[0];
  const doubt = suspect ? ` (${suspect})` : '';
  const hint =
    code === 'EADDRINUSE'
      ? `Stop the other process${doubt}, or choose another ${option}.`
      : `Choose another ${option}.`;
  const message = `${who ? `${who} ` : ''}cannot listen on ${where}: ${reason}`;
  return new SwarmError('SWM_FAILED_PRECONDITION', message, { hint, cause });
}
