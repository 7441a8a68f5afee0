import type {
  ClientReadableStream,
  handleServerStreamingCall,
  handleUnaryCall,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import { fromServiceError, toServiceError } from './grpc-errors.ts';

/** A unary handler from an async function; what it throws reaches the caller as a `SwarmError`. */
export function unaryHandler<Q, R>(
  handle: (call: ServerUnaryCall<Q, R>) => Promise<R>,
): handleUnaryCall<Q, R> {
  return (call, callback) => {
    handle(call).then(
      (response) => callback(null, response),
      (error) => callback(toServiceError(error)),
    );
  };
}

/**
 * A server-streaming handler from an async generator. The signal is aborted when the client goes
 * away; the generator is asked for the next message only when the last one has left.
 */
export function streamHandler<Q, R>(
  produce: (call: ServerWritableStream<Q, R>, signal: AbortSignal) => AsyncIterable<R>,
): handleServerStreamingCall<Q, R> {
  return (call) => {
    const cancelled = new AbortController();
    call.on('cancelled', () => cancelled.abort(new Error('the client cancelled the call')));
    pump(call, cancelled.signal, () => produce(call, cancelled.signal)).catch((error) => {
      if (!cancelled.signal.aborted) call.emit('error', toServiceError(error));
    });
  };
}

async function pump<Q, R>(
  call: ServerWritableStream<Q, R>,
  signal: AbortSignal,
  produce: () => AsyncIterable<R>,
): Promise<void> {
  for await (const message of produce()) {
    if (!call.write(message)) await drained(call, signal);
    if (signal.aborted) return;
  }
  call.end();
}

function drained(call: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Reads a client's stream to its end; failures are thrown as `SwarmError`, abort as its reason. */
export async function* readStream<R>(
  call: ClientReadableStream<R>,
  signal: AbortSignal,
): AsyncGenerator<R> {
  const cancel = () => call.cancel();
  // A cancelled call may still emit its error after the loop below has gone.
  call.on('error', () => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    signal.throwIfAborted();
    for await (const message of call) yield message as R;
    signal.throwIfAborted();
  } catch (error) {
    throw signal.aborted ? signal.reason : fromServiceError(error);
  } finally {
    signal.removeEventListener('abort', cancel);
    call.cancel();
  }
}
