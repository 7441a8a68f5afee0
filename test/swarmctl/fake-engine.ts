import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

export interface FakeRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface Reply {
  readonly status?: number;
  readonly json?: unknown;
  /** Sent piece by piece. */
  readonly body?: string | Buffer | AsyncIterable<Buffer | string>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Takes over the connection of a request to upgrade. */
  readonly upgrade?: (socket: Duplex) => void;
}

export type Route = Reply | ((request: FakeRequest) => Reply | Promise<Reply>);

/** The API of an engine that answers what a test says, and remembers what it was asked. */
export class FakeEngine {
  readonly requests: FakeRequest[] = [];
  readonly #server: Server;
  readonly #dir: string;
  readonly #sockets = new Set<Duplex>();
  #routes: Readonly<Record<string, Route>> = {};

  private constructor(dir: string) {
    this.#dir = dir;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<FakeEngine> {
    const engine = new FakeEngine(await mkdtemp(join(tmpdir(), 'swarmctl-')));
    await new Promise<void>((resolve) => engine.#server.listen(engine.#socketPath, resolve));
    return engine;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#dir, { recursive: true });
  }

  get host(): string {
    return `unix://${this.#socketPath}`;
  }

  /** `routes` by `METHOD /path`; everything else is 404. Forgets what was asked before. */
  serve(routes: Readonly<Record<string, Route>>): void {
    this.#routes = routes;
    this.requests.length = 0;
  }

  /** `METHOD /path?query` of what was asked, in order. */
  get asked(): string[] {
    return this.requests.map(({ method, path, query }) => {
      const text = new URLSearchParams(query).toString();
      return `${method} ${path}${text && `?${decodeURIComponent(text)}`}`;
    });
  }

  /** The JSON that was sent with the first such request. */
  sent(route: string): unknown {
    const request = this.requests.find(({ method, path }) => `${method} ${path}` === route);
    if (!request) throw new Error(`nobody asked ${route}, but ${this.asked.join(', ')}`);
    return JSON.parse(request.body.toString());
  }

  get #socketPath(): string {
    return join(this.#dir, 'engine.sock');
  }

  async #reply(request: IncomingMessage, body: Buffer): Promise<Reply> {
    const url = new URL(request.url ?? '', 'http://engine');
    const path = decodeURIComponent(url.pathname);
    const method = request.method ?? '';
    const query = Object.fromEntries(url.searchParams);
    const record = { method, path, query, headers: request.headers, body };
    this.requests.push(record);
    const route = this.#routes[`${method} ${path}`];
    if (!route) return { status: 404, json: { message: 'page not found' } };
    return typeof route === 'function' ? route(record) : route;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = await this.#reply(request, await buffer(request));
    const type = reply.json === undefined ? {} : { 'content-type': 'application/json' };
    response.writeHead(reply.status ?? 200, { ...type, ...reply.headers });
    if (reply.json !== undefined) response.end(JSON.stringify(reply.json));
    else if (typeof reply.body === 'object' && !Buffer.isBuffer(reply.body)) {
      response.flushHeaders();
      // A source that fails is a daemon that dies in the middle of its answer.
      await pipeline(reply.body, response).catch(() => response.destroy());
    } else response.end(reply.body);
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const length = Number(request.headers['content-length'] ?? 0);
    let body = head;
    while (body.length < length) body = Buffer.concat([body, await nextChunk(socket)]);
    const reply = await this.#reply(request, body.subarray(0, length));
    if (reply.upgrade) {
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
      reply.upgrade(socket);
      return;
    }
    const text = JSON.stringify(reply.json ?? {});
    const headers = `Content-Type: application/json\r\nContent-Length: ${text.length}`;
    socket.end(`HTTP/1.1 ${reply.status ?? 200} X\r\n${headers}\r\n\r\n${text}`);
  }
}

function nextChunk(socket: Duplex): Promise<Buffer> {
  return new Promise((resolve) => {
    socket.once('data', (chunk) => {
      socket.pause();
      resolve(chunk);
    });
  });
}

const STREAMS = { stdout: 1, stderr: 2, error: 3 };

/** A frame of the multiplexed stream. */
export function frame(stream: keyof typeof STREAMS, text: string): Buffer {
  const data = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = STREAMS[stream];
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}
