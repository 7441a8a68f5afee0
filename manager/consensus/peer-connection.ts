import { type ClientDuplexStream, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { Clock, Timer } from '../../common/clock.ts';
import { saysRemovedFromSwarm } from '../../common/removed-node.ts';
import type {
  RaftClient,
  RaftMessage,
  RaftMessageBatch,
  RaftStreamAck,
} from '../../proto/gen/swarm/raft.ts';
import { type Dialer, type Place, raftClient } from './dial.ts';
import { FROM_KEY, MEMBER_REMOVED, SENDER_ADDR_KEY, TO_KEY } from './raft-metadata.ts';

/** Why a connection ended, as far as it matters here. */
export type ConnectionEnd =
  /** The peer says that this manager is no member any more. */
  | 'removed'
  /** The peer's host answered, and nobody listens there: the process is gone. */
  | 'refused'
  | 'lost';

export interface PeerConnectionEvents {
  up(): void;
  /** The stream takes messages again. */
  drain(): void;
  /** Called once, also when it never was up, but not after `close`. */
  end(reason: ConnectionEnd, error: ServiceError): void;
}

export interface PeerConnectionComponents extends Dialer {
  readonly clock: Clock;
}

export interface PeerConnectionInit {
  readonly place: Place;
  /** Raft ids of both ends, and where the peer reaches this one. */
  readonly from: number;
  readonly to: number;
  readonly fromAddr: string;
}

const ESTABLISH_TIMEOUT_MS = 3000;

/** One attempt at a stream to a peer, from its start to its end. Never used again after that. */
export class PeerConnection {
  readonly #client: RaftClient;
  readonly #call: ClientDuplexStream<RaftMessageBatch, RaftStreamAck>;
  readonly #timer: Timer;
  #ended = false;

  constructor(
    components: PeerConnectionComponents,
    init: PeerConnectionInit,
    events: PeerConnectionEvents,
  ) {
    this.#client = raftClient(components, init.place);
    const metadata = new Metadata();
    metadata.set(FROM_KEY, String(init.from));
    metadata.set(TO_KEY, String(init.to));
    metadata.set(SENDER_ADDR_KEY, init.fromAddr);
    const call = this.#client.streamMessages(metadata);
    this.#call = call;
    const end = (error: ServiceError) => {
      if (this.#ended) return;
      this.close();
      events.end(endReason(error), error);
    };
    this.#timer = components.clock.setTimer(ESTABLISH_TIMEOUT_MS, () => call.cancel());
    call.once('data', () => {
      this.#timer.cancel();
      if (!this.#ended) events.up();
    });
    call.on('data', () => undefined);
    call.on('drain', () => {
      if (!this.#ended) events.drain();
    });
    call.on('error', end);
    call.on('end', () => end(endedByPeer()));
  }

  /** False when the peer does not keep up: wait for `drain`. */
  write(messages: readonly RaftMessage[]): boolean {
    return this.#call.write({ messages });
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer.cancel();
    this.#call.cancel();
    this.#client.close();
  }
}

function endReason(error: ServiceError): ConnectionEnd {
  if (error.code === status.NOT_FOUND && error.details === MEMBER_REMOVED) return 'removed';
  // Its node is no member of the swarm: then its calls do not get as far as Raft.
  if (error.code === status.PERMISSION_DENIED && saysRemovedFromSwarm(error.details)) {
    return 'removed';
  }
  if (error.code === status.UNAVAILABLE && error.details?.includes('ECONNREFUSED'))
    return 'refused';
  return 'lost';
}

function endedByPeer(): ServiceError {
  const details = 'the peer ended the stream';
  return Object.assign(new Error(details), {
    code: status.UNAVAILABLE,
    details,
    metadata: new Metadata(),
  });
}
