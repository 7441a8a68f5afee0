import { EventEmitter } from 'node:events';
import { Duplex, Readable, Writable } from 'node:stream';
import {
  Metadata,
  type MethodDefinition,
  type ServiceError,
  type StatusObject,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';

export type Method = MethodDefinition<unknown, unknown>;

export interface Handler {
  readonly method: Method;
  readonly handle: UntypedHandleCall;
}

export type ToServer =
  | { readonly kind: 'message'; readonly message: Buffer }
  | { readonly kind: 'end' }
  | { readonly kind: 'cancel' };

/** What a server call needs of the connection. */
export interface Answering {
  readonly message: (message: Buffer, sent: () => void) => void;
  readonly status: (result: StatusObject) => void;
}

/** The server's end of one call: makes what a handler gets, in the manner of grpc-js. */
export interface ServerCall {
  receive(packet: ToServer): void;
}

export function serveCall(
  { method, handle }: Handler,
  surface: Surface,
  answering: Answering,
): ServerCall {
  const run = handle as (call: unknown, callback?: unknown) => void;
  if (!method.requestStream && !method.responseStream)
    return unary(method, run, surface, answering);
  if (method.requestStream && !method.responseStream) {
    return clientStream(method, run, surface, answering);
  }
  return responseStream(method, run, surface, answering);
}

/** What all kinds of calls offer. */
export interface Surface {
  readonly metadata: Metadata;
  readonly peer: string;
}

type Run = (call: unknown, callback?: unknown) => void;

function surfaceOf({ metadata, peer }: Surface) {
  return { metadata, cancelled: false, getPeer: () => peer, getDeadline: () => Infinity };
}

function responder(method: Method, answering: Answering) {
  let answered = false;
  return (error: Partial<ServiceError> | null, value?: unknown): void => {
    if (answered) return;
    answered = true;
    if (!error) answering.message(method.responseSerialize(value), () => undefined);
    answering.status(error ? statusOf(error) : OK);
  };
}

function unary(method: Method, run: Run, surface: Surface, answering: Answering): ServerCall {
  const call = Object.assign(new EventEmitter(), surfaceOf(surface), {
    request: undefined as unknown,
  });
  return {
    receive(packet) {
      if (packet.kind === 'message') call.request = method.requestDeserialize(packet.message);
      else if (packet.kind === 'end') run(call, responder(method, answering));
      else cancel(call);
    },
  };
}

function clientStream(
  method: Method,
  run: Run,
  surface: Surface,
  answering: Answering,
): ServerCall {
  const stream = new Readable({ objectMode: true, highWaterMark: 2, read: () => undefined });
  const call = Object.assign(stream, surfaceOf(surface));
  call.on('error', () => undefined);
  run(call, responder(method, answering));
  return {
    receive(packet) {
      if (call.destroyed) return;
      if (packet.kind === 'message') call.push(method.requestDeserialize(packet.message));
      else if (packet.kind === 'end') call.push(null);
      else {
        cancel(call);
        call.destroy();
      }
    },
  };
}

function responseStream(
  method: Method,
  run: Run,
  surface: Surface,
  answering: Answering,
): ServerCall {
  let result: StatusObject = OK;
  const options = {
    objectMode: true,
    write(chunk: unknown, _encoding: unknown, done: () => void) {
      answering.message(method.responseSerialize(chunk), () => process.nextTick(done));
    },
    final(done: () => void) {
      answering.status(result);
      done();
    },
  };
  const stream = method.requestStream
    ? new Duplex({ ...options, read: () => undefined })
    : new Writable(options);
  const call = Object.assign(stream, surfaceOf(surface), { request: undefined as unknown });
  call.on('error', (error: Partial<ServiceError>) => {
    result = statusOf(error);
    call.end();
  });
  if (method.requestStream) run(call);
  return {
    receive(packet) {
      if (call.destroyed) return;
      if (packet.kind === 'cancel') {
        cancel(call);
        call.destroy();
      } else if (packet.kind === 'message') {
        const message = method.requestDeserialize(packet.message);
        if (call instanceof Duplex) call.push(message);
        else call.request = message;
      } else if (call instanceof Duplex) call.push(null);
      else run(call);
    },
  };
}

function cancel(call: EventEmitter & { cancelled: boolean }): void {
  call.cancelled = true;
  call.emit('cancelled', 'cancelled');
}

const OK: StatusObject = { code: status.OK, details: 'OK', metadata: new Metadata() };

function statusOf(error: Partial<ServiceError>): StatusObject {
  return {
    code: error.code ?? status.UNKNOWN,
    details: error.details ?? error.message ?? 'unknown error',
    metadata: error.metadata ?? new Metadata(),
  };
}
