import { type IncomingMessage, ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A request to turn its connection into a stream. Node leaves its body to whoever takes it. */
interface Upgrade {
  readonly socket: Duplex;
  readonly body: Buffer;
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>();
const MAX_BODY_BYTES = 8 * 1024 * 1024;
const NO_BYTES = Buffer.alloc(0);

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Listens for Node's 'upgrade' event and passes such requests to the ordinary routing. A handler
 * that takes the connection calls `hijack`; any other answer is sent as usual, and the connection
 * closed after it.
 */
export function upgradeListener(route: RequestListener) {
  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    readBody(request, socket, head).then(
      (body) => {
        upgrades.set(request, { socket, body });
        const response = new ServerResponse(request);
        response.shouldKeepAlive = false;
        response.assignSocket(socket as Parameters<typeof response.assignSocket>[0]);
        response.on('finish', () => closeSoon(socket));
        route(request, response);
      },
      () => socket.destroy(),
    );
  };
}

/** The body that came with a request to upgrade; undefined for other requests. */
export function upgradeBody(request: IncomingMessage): Buffer | undefined {
  return upgrades.get(request)?.body;
}

/**
 * Takes the connection away from HTTP: what is read from the result is what the client types, what
 * is written goes to the client as it is. Without an upgrade the request's body and a chunked answer
 * stand in for the two directions.
 */
export function hijack(request: FastifyRequest, reply: FastifyReply, contentType: string): Duplex {
  const headers = reply.getHeaders();
  reply.hijack();
  const response = reply.raw;
  const upgrade = upgrades.get(request.raw);
  if (!upgrade) {
    response.writeHead(200, { ...plain(headers), 'content-type': contentType });
    response.flushHeaders();
    return Duplex.from({ readable: request.raw, writable: response });
  }
  response.detachSocket(upgrade.socket as Parameters<typeof response.detachSocket>[0]);
  upgrade.socket.write(
    `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\n` +
      'Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
  );
  return upgrade.socket;
}

/**
 * Joins the client's stream and the process's until the process's ends, and then closes the
 * connection. The end of the client's input is passed on as a half close; a client that is gone ends
 * the process's stream. Resolves when both are closed.
 */
export async function splice(client: Duplex, inner: Duplex): Promise<void> {
  inner.on('error', () => client.destroy());
  client.on('error', () => inner.destroy());
  client.pipe(inner);
  inner.pipe(client, { end: false });
  inner.once('end', () => closeSoon(client));
  client.once('close', () => inner.destroy());
  inner.once('close', () => closeSoon(client));
  if (client.destroyed) inner.destroy();
  await Promise.all([closed(client), closed(inner)]);
}

function closed(stream: Duplex): Promise<void> {
  if (stream.closed) return Promise.resolve();
  return new Promise((resolve) => stream.once('close', () => resolve()));
}

/** Sends what is still buffered, then closes both directions. */
function closeSoon(stream: Duplex): void {
  if (stream.destroyed) return;
  if (stream.writableFinished) stream.destroy();
  else stream.once('finish', () => stream.destroy()).end();
}

async function readBody(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Buffer> {
  const length = Number(request.headers['content-length'] ?? 0);
  if (!Number.isInteger(length) || length < 0 || length > MAX_BODY_BYTES) {
    throw new Error('a request to upgrade has no usable Content-Length');
  }
  let bytes = head;
  while (bytes.length < length) bytes = Buffer.concat([bytes, await nextChunk(socket)]);
  const rest = bytes.subarray(length);
  if (rest.length > 0) socket.unshift(rest);
  return length === 0 ? NO_BYTES : bytes.subarray(0, length);
}

function nextChunk(socket: Duplex): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      socket.off('data', onData).off('close', onEnd).off('end', onEnd).pause();
    };
    const onData = (chunk: Buffer) => {
      settle();
      resolve(chunk);
    };
    const onEnd = () => {
      settle();
      reject(new Error('the connection ended before the request did'));
    };
    socket.on('data', onData).on('close', onEnd).on('end', onEnd);
  });
}

function plain(headers: ReturnType<FastifyReply['getHeaders']>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, String(value)]],
    ),
  );
}
