import { createSocket } from 'node:dgram';
import { Socket } from 'node:net';
import type { Clock } from '../../common/clock.ts';
import { type Random, randomInt } from '../../common/random.ts';
import type { Kernel, Netns } from '../kernel/types.ts';

const UPSTREAMS_MAX = 3;
const UPSTREAM_TIMEOUT_MS = 4000;
const CONCURRENT_MAX = 1024;
const DNS_PORT = 53;

export interface Upstream {
  readonly address: string;
  /** From where it is asked. */
  readonly netns: Netns;
  readonly port?: number;
}

export type ForwardResult =
  | { kind: 'answer'; data: Buffer }
  /** Too many questions are on their way already. */
  | { kind: 'busy' }
  | { kind: 'failed' };

/** Asks other name servers, one after the other. */
export class Forwarder {
  readonly #kernel: Kernel;
  readonly #clock: Clock;
  readonly #random: Random;
  #running = 0;

  constructor(components: { kernel: Kernel; clock: Clock; random: Random }) {
    this.#kernel = components.kernel;
    this.#clock = components.clock;
    this.#random = components.random;
  }

  /** `query` is a whole DNS message; the answer carries its id. */
  async forward(
    query: Buffer,
    transport: 'udp' | 'tcp',
    upstreams: readonly Upstream[],
  ): Promise<ForwardResult> {
    if (this.#running >= CONCURRENT_MAX) return { kind: 'busy' };
    this.#running += 1;
    try {
      for (const upstream of upstreams.slice(0, UPSTREAMS_MAX)) {
        const data = await this.#ask(upstream, query, transport);
        if (data) return { kind: 'answer', data };
      }
      return { kind: 'failed' };
    } finally {
      this.#running -= 1;
    }
  }

  /** A random id per question, so that an answer from elsewhere cannot be guessed. */
  async #ask(
    upstream: Upstream,
    query: Buffer,
    transport: 'udp' | 'tcp',
  ): Promise<Buffer | undefined> {
    const request = Buffer.from(query);
    request.writeUInt16BE(randomInt(this.#random, 0, 0xffff), 0);
    try {
      const answer = await (transport === 'udp'
        ? this.#askUdp(upstream, request)
        : this.#askTcp(upstream, request));
      if (!answer || isServerFailure(answer)) return undefined;
      const result = Buffer.from(answer);
      query.copy(result, 0, 0, 2);
      return result;
    } catch {
      return undefined; // Unreachable: the next one is asked.
    }
  }

  #askUdp(upstream: Upstream, request: Buffer): Promise<Buffer | undefined> {
    const init = { protocol: 'udp', address: '0.0.0.0', port: 0 } as const;
    const { fd } = this.#kernel.openSocket(upstream.netns, init);
    return new Promise((resolve, reject) => {
      const socket = createSocket('udp4');
      const finish = (answer?: Buffer, error?: Error) => {
        timer.cancel();
        socket.removeAllListeners().on('error', () => {});
        socket.close();
        if (error) reject(error);
        else resolve(answer);
      };
      const timer = this.#clock.setTimer(UPSTREAM_TIMEOUT_MS, () => finish());
      socket.on('error', (error) => finish(undefined, error));
      socket.on('message', (data, from) => {
        const isOurs = from.address === upstream.address && sameId(data, request);
        if (isOurs) finish(data);
      });
      socket.bind({ fd }, () =>
        socket.send(request, upstream.port ?? DNS_PORT, upstream.address, (error) => {
          if (error) finish(undefined, error);
        }),
      );
    });
  }

  #askTcp(upstream: Upstream, request: Buffer): Promise<Buffer | undefined> {
    const init = { protocol: 'tcp', address: '0.0.0.0', port: 0 } as const;
    const { fd } = this.#kernel.openSocket(upstream.netns, init);
    return new Promise((resolve, reject) => {
      const socket = new Socket({ fd, readable: true, writable: true });
      let received = Buffer.alloc(0);
      const finish = (answer?: Buffer, error?: Error) => {
        timer.cancel();
        socket.removeAllListeners().on('error', () => {});
        socket.destroy();
        if (error) reject(error);
        else resolve(answer);
      };
      const timer = this.#clock.setTimer(UPSTREAM_TIMEOUT_MS, () => finish());
      socket.on('error', (error) => finish(undefined, error));
      socket.on('close', () => finish());
      socket.on('data', (data) => {
        received = Buffer.concat([received, data]);
        const message = firstMessage(received);
        if (message) finish(sameId(message, request) ? message : undefined);
      });
      socket.connect(upstream.port ?? DNS_PORT, upstream.address, () =>
        socket.write(withLength(request)),
      );
    });
  }
}

/** Over TCP every message follows its length in two bytes. */
export function withLength(message: Buffer): Buffer {
  const length = Buffer.from([message.length >> 8, message.length & 0xff]);
  return Buffer.concat([length, message]);
}

/** The first whole message of a TCP stream; undefined until it is there. */
export function firstMessage(received: Buffer): Buffer | undefined {
  if (received.length < 2) return undefined;
  const end = 2 + received.readUInt16BE(0);
  return received.length < end ? undefined : received.subarray(2, end);
}

function sameId(answer: Buffer, request: Buffer): boolean {
  return answer.length >= 12 && answer.readUInt16BE(0) === request.readUInt16BE(0);
}

/** SERVFAIL, NOTIMP and REFUSED say something about the server, not about the name. */
function isServerFailure(answer: Buffer): boolean {
  return [2, 4, 5].includes(answer.readUInt8(3) & 0x0f);
}
