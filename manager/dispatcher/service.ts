import type { ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { streamHandler, unaryHandler } from '../../common/grpc-stream.ts';
import type { DispatcherServer } from '../../proto/gen/swarm/dispatcher.ts';
import type { Caller, Dispatcher } from './dispatcher.ts';

// biome-ignore lint/suspicious/noExplicitAny: a caller is found the same way whatever it sends.
export type AnyCall = ServerUnaryCall<any, any> | ServerWritableStream<any, any>;

/**
 * The gRPC service of the dispatcher. `dispatcher()` is this leadership's, and throws while there is
 * none; `callerOf` throws for callers without an identity.
 */
export function dispatcherService(components: {
  readonly dispatcher: () => Dispatcher;
  readonly callerOf: (call: AnyCall) => Caller;
}): DispatcherServer {
  const { dispatcher, callerOf } = components;
  return {
    session: streamHandler((call, signal) =>
      dispatcher().session(callerOf(call), call.request, signal),
    ),
    heartbeat: unaryHandler(async (call) =>
      dispatcher().heartbeat(callerOf(call), call.request.sessionId),
    ),
    updateTaskStatus: unaryHandler(async (call) => {
      const { sessionId, updates } = call.request;
      await dispatcher().updateTaskStatus(callerOf(call), sessionId, updates);
      return {};
    }),
    assignments: streamHandler((call, signal) =>
      dispatcher().assignments(callerOf(call), call.request.sessionId, signal),
    ),
    leave: unaryHandler(async (call) => {
      await dispatcher().leave(callerOf(call), call.request.sessionId);
      return {};
    }),
  };
}
