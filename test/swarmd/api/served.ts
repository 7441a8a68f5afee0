import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '../../../common/clock.ts';
import { createApiServer } from '../../../swarmd/api/index.ts';
import { type ApiBench, apiBench } from './bench.ts';

export interface Served extends ApiBench {
  readonly socketPath: string;
  request(method: string, path: string, body?: object): http.ClientRequest;
  /** A connection on which `text` has been sent as it is. */
  raw(text: string): Promise<RawConnection>;
}

export interface RawConnection {
  readonly socket: Socket;
  /** Everything that has arrived. */
  received(): Buffer;
  /** Resolves once `needle` has arrived. */
  until(needle: string): Promise<Buffer>;
  readonly ended: Promise<void>;
}

/** The API of a bench on a unix socket, removed with the test. */
export async function serve(t: TestContext, init: { swarm?: boolean } = {}): Promise<Served> {
  const bench = await apiBench(init);
  const directory = await mkdtemp(join(tmpdir(), 'swarm-api-'));
  const socketPath = join(directory, 'swarmd.sock');
  const server = createApiServer(
    { node: bench.node, clock: systemClock },
    { listen: [{ kind: 'unix', path: socketPath }] },
  );
  await server.start();
  t.after(async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  });
  return {
    ...bench,
    socketPath,
    request(method, path, body) {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers = text === undefined ? {} : { 'content-type': 'application/json' };
      const request = http.request({ socketPath, method, path, headers });
      request.end(text);
      return request;
    },
    raw: (text) => open(socketPath, text),
  };
}

/** An answer's head has arrived; its body may still come. */
export function answered(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
}

export async function textOf(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** The payloads of a multiplexed stream, by stream number. */
export function demultiplex(bytes: Buffer): Record<number, string> {
  const texts: Record<number, string> = {};
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    const stream = bytes.readUInt8(at);
    texts[stream] = (texts[stream] ?? '') + bytes.subarray(at + 8, at + 8 + length).toString();
    at += 8 + length;
  }
  return texts;
}

async function open(path: string, text: string): Promise<RawConnection> {
  const socket = connect({ path, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  let arrived = () => {};
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    arrived();
  });
  const ended = new Promise<void>((resolve) => socket.once('end', resolve));
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.write(text);
  const received = () => Buffer.concat(chunks);
  return {
    socket,
    received,
    ended,
    async until(needle) {
      while (!received().includes(needle)) {
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
      }
      return received();
    },
  };
}
