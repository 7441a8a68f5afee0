import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { Random } from '../../common/random.ts';
import type { Kernel, Netns } from '../kernel/types.ts';
import { resolveQuestion } from './answer.ts';
import { type Forwarder, firstMessage, type Upstream, withLength } from './forwarder.ts';
import {
  encodeAnswer,
  encodeError,
  encodeForUdp,
  fitForwarded,
  parseQuery,
  RCODE,
} from './messages.ts';
import type { NameTable } from './name-table.ts';
import { RESOLVER_ADDRESS } from './resolv-conf.ts';

/** A client that keeps its connection open without asking. */
const TCP_IDLE_MS = 10_000;

export interface ResolverView {
  tables(): readonly NameTable[];
  /** None: names that are not ours are refused. */
  upstreams(): readonly Upstream[];
  readonly keepSingleLabels: boolean;
}

interface Components {
  readonly kernel: Kernel;
  readonly random: Random;
  readonly forwarder: Forwarder;
}

/** The name server of one container, on sockets inside its namespace. */
export class Resolver {
  readonly #components: Components;
  readonly #netns: Netns;
  readonly #view: ResolverView;
  readonly #connections = new Set<Socket>();
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;

  constructor(components: Components, init: { netns: Netns; view: ResolverView }) {
    this.#components = components;
    this.#netns = init.netns;
    this.#view = init.view;
  }

  /** Resolves with the ports to redirect to. */
  async start(): Promise<{ udpPort: number; tcpPort: number }> {
    const udp = this.#open('udp');
    const tcp = this.#open('tcp');
    const socket = createSocket('udp4');
    this.#udp = socket;
    socket.on('message', (data, from) => {
      void this.#answer(data, 'udp').then((reply) => {
        if (reply && this.#udp) socket.send(reply, from.port, from.address, () => {});
      });
    });
    socket.on('error', () => {});
    this.#tcp = createServer((connection) => this.#serve(connection));
    this.#tcp.on('error', () => {});
    await Promise.all([
      new Promise<void>((resolve) => socket.bind({ fd: udp.fd }, resolve)),
      new Promise<void>((resolve) => this.#tcp?.listen({ fd: tcp.fd }, resolve)),
    ]);
    // The containers' name servers do not keep the daemon alive.
    socket.unref();
    this.#tcp.unref();
    return { udpPort: udp.port, tcpPort: tcp.port };
  }

  /** The sockets must go before the namespace can. */
  stop(): void {
    this.#udp?.close();
    this.#tcp?.close();
    for (const connection of this.#connections) connection.destroy();
    this.#udp = undefined;
    this.#tcp = undefined;
  }

  #open(protocol: 'udp' | 'tcp'): { fd: number; port: number } {
    const init = { protocol, address: RESOLVER_ADDRESS, port: 0 };
    return this.#components.kernel.openSocket(this.#netns, init);
  }

  #serve(connection: Socket): void {
    this.#connections.add(connection);
    let received: Buffer = Buffer.alloc(0);
    connection.setTimeout(TCP_IDLE_MS, () => connection.destroy());
    connection.on('error', () => connection.destroy());
    connection.on('close', () => this.#connections.delete(connection));
    connection.on('data', (data) => {
      received = Buffer.concat([received, data]);
      for (let query = firstMessage(received); query; query = firstMessage(received)) {
        received = received.subarray(2 + query.length);
        void this.#answer(query, 'tcp').then((reply) => {
          if (reply && !connection.destroyed) connection.write(withLength(reply));
        });
      }
    });
  }

  /** Undefined for what is not a question. */
  async #answer(data: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const query = parseQuery(data);
    if (!query) return undefined;
    const resolution = resolveQuestion(query.question, {
      tables: this.#view.tables(),
      random: this.#components.random,
      keepSingleLabels: this.#view.keepSingleLabels,
    });
    if (resolution.kind === 'answer') {
      const encode = transport === 'udp' ? encodeForUdp : encodeAnswer;
      return encode(query, resolution.answers);
    }
    const upstreams = this.#view.upstreams();
    const result = await this.#components.forwarder.forward(data, transport, upstreams);
    if (result.kind === 'busy') return encodeError(query, RCODE.REFUSED);
    if (result.kind === 'failed') return encodeError(query, RCODE.SERVFAIL);
    return transport === 'udp' ? fitForwarded(query, result.data) : result.data;
  }
}
