import type {
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import { toServiceError } from '../../common/grpc-errors.ts';
import { streamHandler } from '../../common/grpc-stream.ts';
import type { LogBrokerServer, LogsServer } from '../../proto/gen/swarm/logs.ts';
import type { LogBroker } from './log-broker.ts';

/** A call of any shape: who makes it is found the same way. */
export type AnyCall =
  // biome-ignore-start lint/suspicious/noExplicitAny: the messages do not matter here.
  | ServerUnaryCall<any, any>
  | ServerWritableStream<any, any>
  | ServerReadableStream<any, any>
  | ServerDuplexStream<any, any>;
// biome-ignore-end lint/suspicious/noExplicitAny: the messages do not matter here.

/** For nodes. `broker()` throws while this manager does not lead. */
export function logBrokerService(components: {
  readonly broker: () => LogBroker;
  readonly callerOf: (call: AnyCall) => { readonly nodeId: string };
}): LogBrokerServer {
  const { broker, callerOf } = components;
  return {
    listenSubscriptions: streamHandler((call, signal) =>
      broker().listen(callerOf(call).nodeId, signal),
    ),
    publishLogs(call, callback) {
      const publish = async () => broker().publish(callerOf(call).nodeId, call);
      publish().then(
        () => callback(null, {}),
        (error) => callback(toServiceError(error)),
      );
    },
  };
}

/** For clients, by way of their manager. */
export function logsService(components: { readonly broker: () => LogBroker }): LogsServer {
  return {
    subscribeLogs: streamHandler((call, signal) =>
      components.broker().subscribe(call.request, signal),
    ),
  };
}
