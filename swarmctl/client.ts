import type { Duplex, Readable } from 'node:stream';
import Dockerode from 'dockerode';
import { CliError } from './cli-error.ts';

export const DEFAULT_HOST = 'unix:///run/swarm/swarmd.sock';

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

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

  get<T>(path: string, query?: Query): Promise<T> {
    return this.#json('GET', path, query ? { query } : {});
  }

  post<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return this.#json('POST', path, options);
  }

  delete<T>(path: string, query?: Query): Promise<T> {
    return this.#json('DELETE', path, query ? { query } : {});
  }

  /** The body of the answer as it comes. */
  stream(method: 'GET' | 'POST', path: string, options: RequestOptions = {}): Promise<Readable> {
    return this.#dial(method, path, options, { isStream: true }) as Promise<Readable>;
  }

  /** Sends a stream (a tar, say) and gives back the answer as it comes. */
  upload(path: string, body: Readable, query: Query = {}): Promise<Readable> {
    return this.#dial('POST', path, { query }, { isStream: true, file: body }) as Promise<Readable>;
  }

  /** A connection that carries bytes both ways after the request. */
  hijack(path: string, options: RequestOptions = {}): Promise<Duplex> {
    const extra = { isStream: true, hijack: true, openStdin: true };
    return this.#dial('POST', path, options, extra) as Promise<Duplex>;
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
      return new ApiError(error.statusCode, message ?? error.message);
    }
    if (['ENOENT', 'ECONNREFUSED', 'EACCES', 'ENOTFOUND'].includes(error.code ?? '')) {
      return new CliError(
        `Cannot connect to swarmd at ${this.host}: ${error.code}. Is swarmd running? (-H or SWARM_HOST names another host)`,
      );
    }
    return error;
  }
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

function connectionOptions(host: string): Dockerode.DockerOptions {
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) };
  const match = /^(tcp|http|https):\/\/([^:/]+)(?::(\d+))?$/.exec(host);
  if (!match) throw new CliError(`${host} is not a host: use unix:///path or tcp://host:port`);
  const protocol = match[1] === 'https' ? 'https' : 'http';
  return { host: match[2] as string, port: Number(match[3] ?? 2375), protocol };
}
