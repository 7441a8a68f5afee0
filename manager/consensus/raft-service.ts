import type { Metadata, ServerDuplexStream, ServerReadableStream } from '@grpc/grpc-js';
import { SwarmError } from '../../common/errors.ts';
import { toServiceError } from '../../common/grpc-errors.ts';
import { unaryHandler } from '../../common/grpc-stream.ts';
import type {
  RaftMessageBatch,
  RaftServer,
  RaftSnapshotChunk,
  RaftStreamAck,
} from '../../proto/gen/swarm/raft.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import type { Consensus } from './consensus.ts';
import type { PeerIdentity } from './peer-gate.ts';
import { FROM_KEY, SENDER_ADDR_KEY, TO_KEY } from './raft-metadata.ts';

/** Who calls, as its certificate says. */
export interface Caller {
  readonly nodeId: string;
  readonly role: NodeRole;
}

/** Any call of a gRPC server. */
export interface AnyCall {
  readonly metadata: Metadata;
  getPeer(): string;
}

export interface RaftServiceComponents {
  /** Undefined while this node is no manager yet: it then answers health checks only. */
  consensus(): Consensus | undefined;
  callerOf(call: AnyCall): Caller;
}

/** What managers ask of each other. */
export function createRaftService(components: RaftServiceComponents): RaftServer {
  return {
    streamMessages: (call) => receiveMessages(components, call),
    streamSnapshot: (call, callback) => {
      receiveSnapshot(components, call).then(
        () => callback(null, {}),
        (error) => callback(toServiceError(error)),
      );
    },
    resolveAddress: unaryHandler(async (call) => {
      checkManager(components, call);
      const addr = running(components).peers.addressOf(call.request.raftId);
      if (addr) return { addr };
      throw new SwarmError('SWM_NOT_FOUND', `No manager has the Raft id ${call.request.raftId}.`);
    }),
    health: unaryHandler(async (call) => {
      checkManager(components, call);
      return { raftId: components.consensus()?.raftId ?? 0 };
    }),
  };
}

/** Throws SWM_PERMISSION_DENIED unless a manager calls. */
export function checkManager(components: RaftServiceComponents, call: AnyCall): Caller {
  const caller = components.callerOf(call);
  if (caller.role === NodeRole.MANAGER) return caller;
  const message = `Only managers may call this, and node ${caller.nodeId} is a worker.`;
  throw new SwarmError('SWM_PERMISSION_DENIED', message);
}

export function running(components: RaftServiceComponents): Consensus {
  const consensus = components.consensus();
  if (consensus) return consensus;
  throw new SwarmError('SWM_UNAVAILABLE', 'This manager is not a Raft member yet.');
}

function receiveMessages(
  components: RaftServiceComponents,
  call: ServerDuplexStream<RaftMessageBatch, RaftStreamAck>,
): void {
  const end = (error: unknown) => {
    call.emit('error', toServiceError(error));
  };
  call.on('error', () => undefined);
  try {
    const peer = peerOf(components, call);
    const { peers } = running(components);
    const over = peers.accept(peer, end);
    call.on('data', (batch: RaftMessageBatch) => peers.receive(peer.from, batch.messages));
    call.on('end', () => {
      over();
      call.end();
    });
    call.on('cancelled', over);
    // The first word of the server: the stream stands.
    call.write({});
  } catch (error) {
    end(error);
  }
}

async function receiveSnapshot(
  components: RaftServiceComponents,
  call: ServerReadableStream<RaftSnapshotChunk, unknown>,
): Promise<void> {
  const peer = peerOf(components, call);
  const { peers } = running(components);
  const over = peers.accept(peer, (error) => call.destroy(error));
  try {
    const cancel = () =>
      call.destroy(new SwarmError('SWM_TIMEOUT', 'The snapshot stopped coming.'));
    await peers.receiveSnapshot(peer.from, call, cancel);
  } finally {
    over();
  }
}

function peerOf(components: RaftServiceComponents, call: AnyCall): PeerIdentity {
  const { nodeId } = checkManager(components, call);
  const text = (key: string) => call.metadata.get(key)[0]?.toString() ?? '';
  const from = Number(text(FROM_KEY));
  const to = Number(text(TO_KEY));
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from <= 0) {
    throw new SwarmError('SWM_INVALID_ARGUMENT', 'The stream does not say whose it is.');
  }
  return { nodeId, from, to, addr: text(SENDER_ADDR_KEY) };
}
