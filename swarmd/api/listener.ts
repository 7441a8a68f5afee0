import { chmod, chown, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { ListenOptions, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { cannotListen, type ListenFailure } from '../../common/listen-error.ts';
import { socketAnswers } from '../../common/socket-answers.ts';
import type { Startable } from '../../common/startable.ts';
import { upgradeListener } from './http/upgrade.ts';

/** Where the API is served. */
export type ListenAddress =
  | { readonly kind: 'unix'; readonly path: string; readonly gid?: number | undefined }
  | {
      readonly kind: 'tcp';
      readonly host: string;
      /** 0 is any free port. */
      readonly port: number;
      /** PEM. With `ca`, clients need a certificate it signed. */
      readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
    };

const API: ListenFailure = { who: 'the API', option: '--host' };

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/** One socket that takes requests, upgrades included. */
export class Listener implements Startable {
  readonly #address: ListenAddress;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #role: ListenFailure;

  /** `role` says, in the message when `address` cannot be opened, who wanted it. */
  constructor(route: RequestListener, address: ListenAddress, role: ListenFailure = API) {
    this.#address = address;
    this.#role = role;
    this.#server = serverFor(address);
    this.#server.on('request', route);
    this.#server.on('upgrade', upgradeListener(route));
    // Long answers (logs, events, attach) have no end in time, and neither have long uploads.
    this.#server.requestTimeout = 0;
    // Clients keep a connection for their next request; closing it under them loses that request.
    this.#server.keepAliveTimeout = 0;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** The port of a TCP listener; 0 for a unix socket. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** Rejects with SWM_FAILED_PRECONDITION when the address cannot be opened. */
  async start(): Promise<void> {
    const address = this.#address;
    if (address.kind === 'tcp') {
      const { host, port } = address;
      await this.#listen({ host, port }, `${host}:${port}`);
      return;
    }
    // A socket that a killed daemon left behind would be in the way; one that answers is in use.
    if (await socketAnswers(address.path)) {
      throw cannotListen(address.path, new Error('EADDRINUSE'), this.#role);
    }
    await rm(address.path, { force: true });
    await this.#listen({ path: address.path }, address.path);
    await chmod(address.path, 0o660);
    if (address.gid !== undefined) await chown(address.path, 0, address.gid);
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #listen(options: ListenOptions, where: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const onError = (error: Error) => reject(cannotListen(where, error, this.#role));
      this.#server.once('error', onError);
      this.#server.listen(options, () => {
        this.#server.off('error', onError);
        resolve();
      });
    });
  }
}

/**
 * Filters with many names and the tokens of registries are longer than Node's 16 KiB, and dockerode
 * repeats a whole config in the query when it creates one.
 */
const HEADER_LIMIT = { maxHeaderSize: 4 << 20 };

function serverFor(address: ListenAddress): Server {
  if (address.kind !== 'tcp' || !address.tls) return createServer(HEADER_LIMIT);
  const { cert, key, ca } = address.tls;
  return createTlsServer({
    ...HEADER_LIMIT,
    cert,
    key,
    ...(ca ? { ca, requestCert: true, rejectUnauthorized: true } : {}),
  });
}
