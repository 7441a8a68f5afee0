import type {
  ChannelCredentials,
  ClientOptions,
  ClientUnaryCall,
  ClientWritableStream,
  ServiceError,
} from '@grpc/grpc-js';
import { fromServiceError } from '../../common/grpc-errors.ts';
import { readStream } from '../../common/grpc-stream.ts';
import { DispatcherClient, ResourceAllocatorClient } from '../../proto/gen/swarm/dispatcher.ts';
import { LogBrokerClient, type PublishLogsMessage } from '../../proto/gen/swarm/logs.ts';
import type { Dial, ManagerConnection } from './connection.ts';

const CHANNEL_OPTIONS = {
  // A manager that vanished without a word is noticed by the connection, not only by the heartbeat.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  // Channels of other sessions may be in a broken state; this one starts afresh.
  'grpc.use_local_subchannel_pool': 1,
};

/**
 * Connections over gRPC; `credentials` are asked for anew each time, since certificates change.
 * `options` come beside those that all these connections have.
 */
export function grpcDial(credentials: () => ChannelCredentials, options: ClientOptions = {}): Dial {
  return (addr) => connect(addr, credentials(), { ...CHANNEL_OPTIONS, ...options });
}

function connect(
  addr: string,
  credentials: ChannelCredentials,
  options: ClientOptions,
): ManagerConnection {
  const dispatcher = new DispatcherClient(addr, credentials, options);
  const channelOverride = dispatcher.getChannel();
  const allocator = new ResourceAllocatorClient(addr, credentials, { channelOverride });
  const logs = new LogBrokerClient(addr, credentials, { channelOverride });
  return {
    session: (request, signal) => readStream(dispatcher.session(request), signal),
    assignments: (request, signal) => readStream(dispatcher.assignments(request), signal),
    heartbeat: (request, signal) => unary(signal, (done) => dispatcher.heartbeat(request, done)),
    async updateTaskStatus(request, signal) {
      await unary(signal, (done) => dispatcher.updateTaskStatus(request, done));
    },
    async leave(request, signal) {
      await unary(signal, (done) => dispatcher.leave(request, done));
    },
    attachNetwork: (request, signal) =>
      unary(signal, (done) => allocator.attachNetwork(request, done)),
    async detachNetwork(request, signal) {
      await unary(signal, (done) => allocator.detachNetwork(request, done));
    },
    listenSubscriptions: (signal) => readStream(logs.listenSubscriptions({}), signal),
    publishLogs: (messages, signal) => publish(logs, messages, signal),
    close: () => dispatcher.close(),
  };
}

type Done<R> = (error: ServiceError | null, response: R) => void;

function unary<R>(signal: AbortSignal, call: (done: Done<R>) => ClientUnaryCall): Promise<R> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const cancel = () => running.cancel();
    const running = call((error, response) => {
      signal.removeEventListener('abort', cancel);
      if (!error) resolve(response);
      else reject(signal.aborted ? signal.reason : fromServiceError(error));
    });
    signal.addEventListener('abort', cancel, { once: true });
  });
}

function publish(
  client: LogBrokerClient,
  messages: AsyncIterable<PublishLogsMessage>,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = () => call.cancel();
    let end = () => {};
    const ended = new Promise<void>((settle) => (end = settle));
    const call = client.publishLogs((error) => {
      end();
      signal.removeEventListener('abort', cancel);
      if (error) reject(signal.aborted ? signal.reason : fromServiceError(error));
      else resolve();
    });
    signal.addEventListener('abort', cancel, { once: true });
    const send = async () => {
      for await (const message of messages) {
        if (!call.write(message)) await Promise.race([drained(call), ended]);
      }
      call.end();
    };
    // The failure that counts is the one of the call: cancelling it rejects above.
    send().catch(() => call.cancel());
  });
}

function drained(call: ClientWritableStream<PublishLogsMessage>): Promise<void> {
  return new Promise((resolve) => call.once('drain', () => resolve()));
}
