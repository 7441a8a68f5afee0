import {
  type Channel,
  type ClientOptions,
  Metadata,
  type StatusObject,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { type ChannelEnd, type SimCall, SimChannel } from './grpc-channel.ts';
import {
  type Handler,
  type Method,
  type ServerCall,
  serveCall,
  type ToServer,
} from './grpc-server.ts';
import type { Line, SimNetwork } from './network.ts';
import type { SimProcess } from './sim-process.ts';

/** What listens at an address. */
export interface SimServer {
  readonly host: string;
  readonly process: SimProcess;
  readonly handlers: ReadonlyMap<string, Handler>;
}

/** What goes over a call, before it can get lost. */
export interface Tapped {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly message: Buffer;
}

/** Calls whose messages Raft expects to get lost, doubled and overtaken. */
const LOOSE = '/StreamMessages';

/** gRPC without sockets: the stubs and handlers of the product over the simulated network. */
export class SimGrpc {
  readonly network: SimNetwork;
  readonly #servers = new Map<string, SimServer>();
  readonly #accepted = new WeakMap<SimCall, ServerCall>();
  tap: ((tapped: Tapped) => void) | undefined;

  constructor(network: SimNetwork) {
    this.network = network;
  }

  /** For the clients of a process. */
  clientOptions(end: ChannelEnd): ClientOptions {
    return {
      channelFactoryOverride: (address: string) =>
        new SimChannel(this, end, address) as unknown as Channel,
    };
  }

  /** Serves until the process ends or the returned function is called; open calls break then. */
  listen(
    addr: string,
    server: Omit<SimServer, 'handlers'>,
    services: readonly (readonly [object, UntypedServiceImplementation])[],
  ): () => void {
    const handlers = new Map<string, Handler>();
    for (const [definition, implementation] of services) {
      for (const [name, method] of Object.entries(definition) as [string, Method][]) {
        handlers.set(method.path, { method, handle: implementation[name]! });
      }
    }
    const listening = { ...server, handlers };
    this.#servers.set(addr, listening);
    const forget = () => {
      if (this.#servers.get(addr) === listening) this.#servers.delete(addr);
    };
    const unlisten = server.process.onEnd(forget);
    return () => {
      unlisten();
      forget();
      this.network.hangUp(listening);
    };
  }

  /** Begins a call. What the server answers reaches `call`, and so does the loss of the line. */
  open(end: ChannelEnd, target: string, call: SimCall, metadata: Metadata): Line {
    const line = this.network.connect(
      { host: end.host, process: end.process, broken: () => call.onStatus(reset()) },
      hostOf(target),
    );
    const deliver = () => this.#arrive(line, end, target, call, metadata);
    line.send(0, { loose: false, deliver });
    return line;
  }

  toServer(line: Line, call: SimCall, packet: ToServer, sent?: () => void): void {
    const isMessage = packet.kind === 'message';
    if (isMessage) {
      const { from, to, method } = call;
      this.tap?.({ from, to, method, message: packet.message });
    }
    const loose = isMessage && call.method.endsWith(LOOSE);
    const deliver = () => {
      this.#accepted.get(call)?.receive(packet);
      if (packet.kind === 'cancel') line.close();
    };
    line.send(0, { loose, deliver, sent });
  }

  #arrive(line: Line, end: ChannelEnd, target: string, call: SimCall, metadata: Metadata): void {
    const answer = (deliver: () => void, sent?: () => void) =>
      line.send(1, { loose: false, deliver, sent });
    const server = this.#servers.get(target);
    if (!server) {
      const refused = () => call.onStatus(unavailable(`connect ECONNREFUSED ${target}`));
      if (this.network.isOn(hostOf(target))) answer(refused);
      return;
    }
    const handler = server.handlers.get(call.method);
    if (!handler) throw new Error(`nobody serves ${call.method} at ${target}`);
    line.accept(server, () => this.#accepted.get(call)?.receive({ kind: 'cancel' }));
    server.process.deliver(() => {
      const serverCall = serveCall(
        handler,
        { metadata, peer: `${end.host}:1` },
        {
          message: (message, sent) => answer(() => call.onMessage(message), sent),
          status: (result) =>
            answer(() => {
              call.onStatus(result);
              line.close();
            }),
        },
      );
      this.#accepted.set(call, serverCall);
    });
  }
}

function hostOf(addr: string): string {
  return addr.slice(0, addr.lastIndexOf(':'));
}

function reset(): StatusObject {
  return unavailable('read ECONNRESET');
}

function unavailable(details: string): StatusObject {
  return { code: status.UNAVAILABLE, details, metadata: new Metadata() };
}
