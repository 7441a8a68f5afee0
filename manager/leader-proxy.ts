import type {
  Client,
  ClientReadableStream,
  Metadata,
  MethodDefinition,
  ServerErrorResponse,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceError,
  sendUnaryData,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { SwarmError } from '../common/errors.ts';
import { toServiceError } from '../common/grpc-errors.ts';
import { forwardedBy, forwardingMetadata } from './ca/index.ts';
import type { CertificateIdentity } from './types.ts';

export interface LeaderProxyComponents {
  readonly isLeader: () => boolean;
  /** A connection to the leader. Throws SWM_NO_LEADER. */
  readonly leader: () => Client;
  /** This manager, which vouches for those it forwards for. */
  readonly identity: () => CertificateIdentity;
}

type Method = MethodDefinition<unknown, unknown>;
type Call = ServerUnaryCall<unknown, unknown> &
  ServerReadableStream<unknown, unknown> &
  ServerWritableStream<unknown, unknown>;
type Callback = sendUnaryData<unknown>;

/**
 * A service that only the leader serves, as any manager may offer it: elsewhere each call goes on to
 * the leader, with the caller's identity beside it. A call is forwarded once; a second forward would
 * mean that two managers disagree on who leads, and the caller is to try again.
 */
export function leaderProxy<S extends UntypedServiceImplementation>(
  components: LeaderProxyComponents,
  definition: Readonly<Record<string, unknown>>,
  local: S,
): S {
  const methods = Object.entries(definition).map(([name, method]) => [
    name,
    proxied(components, method as Method, local[name] as UntypedHandleCall),
  ]);
  return Object.fromEntries(methods) as S;
}

function proxied(
  components: LeaderProxyComponents,
  method: Method,
  local: UntypedHandleCall,
): UntypedHandleCall {
  const serve = local as (call: Call, callback: Callback) => void;
  const handler = (call: Call, callback: Callback) => {
    if (components.isLeader()) return serve(call, callback);
    try {
      forward(components, method, call, callback);
    } catch (error) {
      if (method.responseStream) call.emit('error', toServiceError(error));
      else callback(toServiceError(error));
    }
  };
  return handler as UntypedHandleCall;
}

function forward(
  components: LeaderProxyComponents,
  method: Method,
  call: Call,
  callback: Callback,
): void {
  const forwarder = forwardedBy(call);
  if (forwarder) {
    throw new SwarmError(
      'SWM_NOT_LEADER',
      `manager ${forwarder} took this manager for the leader, which it is not`,
    );
  }
  const client = components.leader();
  const metadata = forwardingMetadata(call.metadata, components.identity());
  if (method.responseStream) forwardServerStream(client, method, metadata, call);
  else if (method.requestStream) forwardClientStream(client, method, metadata, call, callback);
  else forwardUnary(client, method, metadata, call, callback);
}

function forwardUnary(
  client: Client,
  method: Method,
  metadata: Metadata,
  call: Call,
  callback: Callback,
): void {
  const forwarded = client.makeUnaryRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    call.request,
    metadata,
    { deadline: call.getDeadline() },
    (error, response) => (error ? callback(answerOf(error)) : callback(null, response)),
  );
  call.on('cancelled', () => forwarded.cancel());
}

function forwardServerStream(client: Client, method: Method, metadata: Metadata, call: Call): void {
  const source: ClientReadableStream<unknown> = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    call.request,
    metadata,
    { deadline: call.getDeadline() },
  );
  source.on('error', (error) => {
    // Or the pipe would end the call as if all were well.
    source.unpipe(call);
    call.emit('error', answerOf(error as ServiceError));
  });
  call.on('cancelled', () => source.cancel());
  source.pipe(call);
}

function forwardClientStream(
  client: Client,
  method: Method,
  metadata: Metadata,
  call: Call,
  callback: Callback,
): void {
  const sink = client.makeClientStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    metadata,
    { deadline: call.getDeadline() },
    (error, response) => {
      call.unpipe(sink);
      if (error) callback(answerOf(error));
      else callback(null, response);
    },
  );
  sink.on('error', () => call.unpipe(sink));
  call.on('cancelled', () => sink.cancel());
  call.pipe(sink);
}

/** The leader's answer as it came, with the code and hint of a SwarmError in its metadata. */
function answerOf({ code, details, metadata }: ServiceError): Partial<ServerErrorResponse> & {
  message: string;
} {
  return { code, details, metadata, message: details };
}
