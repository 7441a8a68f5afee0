import type { ApiAnswer } from '../bench/support/api.ts';

/** `never`: the answer says that the operation had no effect and will have none. */
export type Verdict = 'ok' | 'never' | 'unknown';

export interface Outcome {
  readonly verdict: Verdict;
  /** For a list of errors: status and first sentence, without ids and addresses. */
  readonly label: string;
}

/** What these say happens before anything is sent to anybody. */
const NOTHING_DONE = [
  /The swarm does not have a leader/,
  /This node is not a swarm manager/,
  /This manager is being prepared/,
  /This manager is not the leader/,
  /^No connection (to|established)/,
  /update out of sequence/,
];

/** What an answer of the API means for an operation that writes. */
export function outcomeOf({ status, body }: ApiAnswer): Outcome {
  if (status < 300) return { verdict: 'ok', label: '' };
  const message = messageOf(body);
  const isCertain = status < 500 || NOTHING_DONE.some((pattern) => pattern.test(message));
  return { verdict: isCertain ? 'never' : 'unknown', label: `${status} ${general(message)}` };
}

/** What the lack of an answer means: only a connection that never stood carried nothing. */
export function outcomeOfError(error: unknown): Outcome {
  const { code, message } = error as NodeJS.ErrnoException;
  const refused = code === 'ECONNREFUSED' || code === 'ENOENT';
  return { verdict: refused ? 'never' : 'unknown', label: `no answer: ${code ?? message}` };
}

function messageOf(body: unknown): string {
  const message = (body as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : String(body);
}

function general(message: string): string {
  return message
    .split('\n')[0]!
    .replace(/^rpc error: code = \w+ desc = /, '')
    .replace(/\d+\.\d+\.\d+\.\d+(:\d+)?/g, 'ADDRESS')
    .replace(/\b[a-z0-9]{25}\b/g, 'ID')
    .replace(/\b(reg|add)-[\w-]+/g, 'NAME')
    .slice(0, 140);
}
