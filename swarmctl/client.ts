import { Agent, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import type { Duplex, Readable } from 'node:stream';
import Dockerode from 'dockerode';
import { CliError } from './cli-error.ts';

export const DEFAULT_HOST = 'unix:///run/swarm/swarmd.sock';

type QueryValue = string | number | boolean | readonly string[] | undefined;
export type Query = Readonly<Record<string, QueryValue>>;

interface RequestOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** The error body of the API, with its status. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface DialError extends Error {
  readonly statusCode?: number;
  readonly code?: string;
  readonly json?: unknown;
}

/** The Docker Engine API of one node, over dockerode's connection. Paths are without version. */
export class ApiClient {
  readonly host: string;
  readonly #modem: Dockerode['modem'];

  constructor(host: string) {
    this.host = host;
    this.#modem = new Dockerode(connectionOptions(host)).modem;
  }

  get<T>(
    path: string,
    query: Query = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    return this.#json('GET', path, { query, headers });
  }

  post<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return this.#json('POST', path, options);
  }

  delete<T>(path: string, query?: Query): Promise<T> {
    return this.#json('DELETE', path, query ? { query } : {});
  }

  /** The answer as soon as its headers are there; its body as it comes. */
  async stream(
    method: 'GET' | 'HEAD' | 'POST',
    path: string,
    options: RequestOptions = {},
  ): Promise<IncomingMessage> {
    return (await this.#dial(method, path, options, { isStream: true })) as IncomingMessage;
  }

  /** Sends a stream (a tar, say) and gives back the answer as it comes. */
  async upload(
    method: 'POST' | 'PUT',
    path: string,
    body: Readable,
    query: Query = {},
    extraHeaders: Readonly<Record<string, string>> = {},
  ): Promise<IncomingMessage> {
    const headers = { 'Content-Type': 'application/x-tar', ...extraHeaders };
    const extra = { isStream: true, file: body };
    return (await this.#dial(method, path, { query, headers }, extra)) as IncomingMessage;
  }

  /**
   * A connection that carries bytes both ways after the request. `end()` on it is the end of the
   * input; the output goes on until the server closes.
   */
  async hijack(path: string, options: RequestOptions = {}): Promise<Duplex> {
    const extra = { isStream: true, hijack: true };
    return (await this.#dial('POST', path, { body: {}, ...options }, extra)) as Duplex;
  }

  async #json<T>(method: string, path: string, options: RequestOptions): Promise<T> {
    return (await this.#dial(method, path, options, {})) as T;
  }

  #dial(method: string, path: string, options: RequestOptions, extra: object): Promise<unknown> {
    const { query = {}, body, headers, signal } = options;
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    return new Promise((resolve, reject) => {
      const request = {
        path: `${path}?`,
        method,
        options: { _query: Object.fromEntries(given), _body: body ?? {} },
        statusCodes: { 101: true, 200: true, 201: true, 204: true, 304: true },
        ...(headers ? { headers: { ...headers } } : {}),
        ...(signal ? { abortSignal: signal } : {}),
        ...(body !== undefined ? { allowEmpty: true } : {}),
        ...extra,
      };
      this.#modem.dial(request as never, (error: DialError | null, data: unknown) => {
        if (error) reject(signal?.aborted ? signal.reason : this.#explain(error));
        else resolve(data);
      });
    });
  }

  #explain(error: DialError): Error {
    if (error.statusCode !== undefined) {
      const { message } = (error.json ?? {}) as { message?: string };
      return new ApiError(error.statusCode, message ?? messageOf(error));
    }
    const reason = UNREACHABLE[error.code ?? ''];
    if (reason) {
      return new CliError(
        `Cannot connect to swarmd at ${this.host}: ${reason}. Is swarmd running? (-H or SWARM_HOST names another host)`,
      );
    }
    return error;
  }
}

const UNREACHABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'nobody listens there',
  EACCES: 'permission denied',
  ENOTFOUND: 'there is no such host',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ETIMEDOUT: 'no answer',
};

/** Of an answer that was to be streamed only dockerode's own text is there: it wraps the message. */
function messageOf(error: Error): string {
  return error.message.replace(/^\(HTTP code \d+\) .*? - /s, '').trimEnd();
}

/** The `filters` parameter from `key=value` pairs. */
export function filtersQuery(filters: readonly string[]): { filters?: string } {
  if (filters.length === 0) return {};
  const map: Record<string, Record<string, boolean>> = {};
  for (const filter of filters) {
    const equals = filter.indexOf('=');
    if (equals < 1) {
      throw new CliError(`invalid argument "${filter}" for "-f, --filter": use key=value`);
    }
    const key = filter.slice(0, equals).trim().toLowerCase();
    map[key] ??= {};
    (map[key] as Record<string, boolean>)[filter.slice(equals + 1).trim()] = true;
  }
  return { filters: JSON.stringify(map) };
}

/** A connection for each request: one that is kept may be closed just when it is used again. */
function connectionOptions(host: string): Dockerode.DockerOptions & { readonly agent: Agent } {
  const agent = new Agent({ keepAlive: false });
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length), agent };
  const match = /^(tcp|http|https):\/\/([^:/]+)(?::(\d+))?$/.exec(host);
  if (!match) throw new CliError(`${host} is not a host: use unix:///path or tcp://host:port`);
  const address = { host: match[2] as string, port: Number(match[3] ?? 2375) };
  if (match[1] !== 'https') return { ...address, protocol: 'http', agent };
  return { ...address, protocol: 'https', agent: new TlsAgent({ keepAlive: false }) };
}
