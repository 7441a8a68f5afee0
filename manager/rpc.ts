import { type Client, Metadata } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../common/clock.ts';
import { fromServiceError } from '../common/grpc-errors.ts';

/** A unary method as ts-proto's service definitions describe it. */
export interface UnaryMethod<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

export interface UnaryOptions {
  readonly timeoutMs: number;
  /** Of the machine by default. */
  readonly clock?: Clock;
  readonly metadata?: Metadata;
  readonly signal?: AbortSignal | undefined;
}

export interface UnaryResult<Response> {
  readonly response: Response;
  readonly trailer: Metadata;
}

/** One call. Rejects with the handler's SwarmError, or with the signal's reason when aborted. */
export function callUnary<Request, Response>(
  client: Client,
  method: UnaryMethod<Request, Response>,
  request: Request,
  options: UnaryOptions,
): Promise<UnaryResult<Response>> {
  const { signal, clock = systemClock } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    let settle = (_trailer: Metadata) => {};
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      options.metadata ?? new Metadata(),
      { deadline: new Date(clock.now() + options.timeoutMs) },
      (error, response) => {
        settle = (trailer) => {
          if (signal?.aborted) reject(signal.reason);
          else if (error) reject(fromServiceError(error));
          else resolve({ response: response as Response, trailer });
        };
      },
    );
    // grpc-js emits this last, after the callback.
    call.once('status', (status) => {
      signal?.removeEventListener('abort', onAbort);
      settle(status.metadata);
    });
    const onAbort = () => call.cancel();
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
