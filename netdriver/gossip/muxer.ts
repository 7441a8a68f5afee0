import { yamux } from '@chainsafe/libp2p-yamux';
import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface';

/**
 * yamux whose muxers outlive their connection quietly. Yamux opens a stream in a microtask; when the
 * connection closed in between, its `send` throws where nobody can catch it, and the process ends.
 * Here such a muxer is aborted instead, and the request that wanted the stream fails.
 */
export function muxer(): () => StreamMuxerFactory {
  const create = yamux();
  return () => {
    const factory = create();
    return {
      protocol: factory.protocol,
      createStreamMuxer: (connection) => guarded(factory.createStreamMuxer(connection), connection),
    };
  };
}

interface Sending extends StreamMuxer {
  send(data: unknown): boolean;
}

function guarded(stream: StreamMuxer, connection: MessageStream): StreamMuxer {
  const sending = stream as Sending;
  const send = sending.send.bind(sending);
  sending.send = (data) => {
    try {
      return send(data);
    } catch (error) {
      sending.abort(error as Error);
      connection.abort(error as Error);
      return true;
    }
  };
  return sending;
}
