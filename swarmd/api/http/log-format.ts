import type { FastifyRequest } from 'fastify';
import { badRequest } from './errors.ts';
import { Query } from './query.ts';
import { parseTime } from './time.ts';

export const STDOUT = 1;
export const STDERR = 2;

/** The query of the three log routes. Times are milliseconds since the epoch. */
export interface LogQuery {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
  readonly tail: number | undefined;
  readonly since: number | undefined;
  readonly until: number | undefined;
}

export function readLogQuery(request: FastifyRequest, now: number): LogQuery {
  const query = new Query(request);
  const stdout = query.flag('stdout');
  const stderr = query.flag('stderr');
  if (!stdout && !stderr) {
    throw badRequest('Bad parameters: you must choose at least one stream');
  }
  const tail = query.string('tail');
  return {
    stdout,
    stderr,
    follow: query.flag('follow'),
    timestamps: query.flag('timestamps'),
    details: query.flag('details'),
    tail: /^\d{1,15}$/.test(tail) ? Number(tail) : undefined,
    since: parseTime(query.string('since'), now),
    until: parseTime(query.string('until'), now),
  };
}

/** A line as the client prints it: [time ][details ]message. */
export function logLine(
  query: Pick<LogQuery, 'timestamps' | 'details'>,
  line: { time: string; details: Readonly<Record<string, string>>; data: Buffer },
): Buffer {
  const time = query.timestamps ? `${line.time} ` : '';
  const details = query.details ? `${encodeDetails(line.details)} ` : '';
  return time + details === ''
    ? line.data
    : Buffer.concat([Buffer.from(time + details), line.data]);
}

/** key=value pairs sorted by key, escaped as in a query string, and separated by commas. */
function encodeDetails(details: Readonly<Record<string, string>>): string {
  return Object.keys(details)
    .sort()
    .map((key) => `${escapeQuery(key)}=${escapeQuery(details[key] ?? '')}`)
    .join(',');
}

function escapeQuery(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
