import { Agent, request } from 'node:http';

export interface ApiAnswer {
  readonly status: number;
  /** Parsed JSON, or the text when it is none. */
  readonly body: unknown;
}

export interface ApiRequestOptions {
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

/** A client of the Docker Engine API at a unix socket. Connections are kept and used again. */
export class Api {
  readonly #agent: Agent;
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
    this.#agent = new Agent({ keepAlive: true });
  }

  /** Rejects when there is no answer: no connection, or a timeout. */
  send(method: string, path: string, options: ApiRequestOptions = {}): Promise<ApiAnswer> {
    const json = Buffer.isBuffer(options.body) ? options.body : JSON.stringify(options.body);
    return new Promise((resolve, reject) => {
      const call = request(
        {
          socketPath: this.#socketPath,
          agent: this.#agent,
          method,
          path,
          headers: json === undefined ? {} : headersOf(json),
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const body = parse(Buffer.concat(chunks).toString());
            resolve({ status: response.statusCode ?? 0, body });
          });
        },
      );
      call.on('error', reject);
      if (options.timeoutMs) {
        call.setTimeout(options.timeoutMs, () => call.destroy(new Error('timed out')));
      }
      call.end(json);
    });
  }

  /** The body of the answer; rejects unless it is a success. */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.send(method, path, { body });
    if (answer.status < 300) return answer.body as T;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  /** Reads an answer of any size without keeping it; rejects unless it is a success. */
  drain(path: string): Promise<{ bytes: number }> {
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.#socketPath, agent: this.#agent, path };
      const call = request(options, (response) => {
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) resolve({ bytes });
          else reject(new Error(`GET ${path}: ${response.statusCode}`));
        });
      });
      call.on('error', reject);
      call.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function headersOf(body: Buffer | string): Record<string, string | number> {
  const type = Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json';
  return { 'content-type': type, 'content-length': Buffer.byteLength(body) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
