import { type Client, Metadata } from '@grpc/grpc-js';
import type { Clock } from '../common/clock.ts';
import { SwarmError } from '../common/errors.ts';
import { fromServiceError } from '../common/grpc-errors.ts';

/** A unary method as ts-proto's service definitions describe it. */
export interface UnaryMethod<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

export interface UnaryOptions {
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly timeoutMs: number;
  readonly metadata?: Metadata;
  readonly signal?: AbortSignal | undefined;
}

export interface UnaryResult<Response> {
  readonly response: Response;
  readonly trailer: Metadata;
}

/**
 * One call. Rejects with the handler's SwarmError, with SWM_TIMEOUT when there is no answer in time,
 * or with the signal's reason when aborted.
 */
export function callUnary<Request, Response>(
  client: Client,
  method: UnaryMethod<Request, Response>,
  request: Request,
  options: UnaryOptions,
): Promise<UnaryResult<Response>> {
  const { clock, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    let isLate = false;
    let settle = (_trailer: Metadata) => {};
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      options.metadata ?? new Metadata(),
      (error, response) => {
        settle = (trailer) => {
          if (signal?.aborted) reject(signal.reason);
          else if (error && isLate) reject(late(client, timeoutMs));
          else if (error) reject(fromServiceError(error));
          else resolve({ response: response as Response, trailer });
        };
      },
    );
    // grpc-js emits this last, after the callback.
    call.once('status', (status) => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      settle(status.metadata);
    });
    // A deadline of grpc-js would be one by the machine's clock.
    const timer = clock.setTimer(timeoutMs, () => {
      isLate = true;
      call.cancel();
    });
    const onAbort = () => call.cancel();
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function late(client: Client, timeoutMs: number): SwarmError {
  const server = client.getChannel().getTarget().replace(/^dns:/, '');
  return new SwarmError('SWM_TIMEOUT', `no answer from ${server} within ${timeoutMs / 1000} s`);
}
