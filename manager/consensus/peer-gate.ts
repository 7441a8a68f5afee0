import { MessageType } from 'raft-ts';
import { SwarmError } from '../../common/errors.ts';
import type { RaftMessage, RaftSnapshotChunk } from '../../proto/gen/swarm/raft.ts';
import type { MembersView } from './members-view.ts';
import type { Membership } from './membership.ts';
import type { RaftLoop } from './raft-loop.ts';
import { MEMBER_REMOVED } from './raft-metadata.ts';
import type { SnapshotExchange } from './snapshot-exchange.ts';
import type { Transport } from './transport.ts';
import { fromWire } from './wire.ts';

/** Who opened a stream, as its certificate says, and what it says of itself. */
export interface PeerIdentity {
  readonly nodeId: string;
  /** Raft ids of the sender, and of whom it means to talk to. */
  readonly from: number;
  readonly to: number;
  readonly addr: string;
}

export interface PeerGateComponents {
  readonly membership: Membership;
  readonly view: MembersView;
  readonly transport: Transport;
  readonly loop: RaftLoop;
  readonly exchange: SnapshotExchange;
}

type End = (error: SwarmError) => void;

/** What peers send: lets in who may talk to this manager, and passes it on. */
export class PeerGate {
  readonly #components: PeerGateComponents;
  readonly #raftId: number;
  /** The open streams, and whose they are. */
  readonly #streams = new Map<End, number>();
  #closed: SwarmError | undefined;

  constructor(components: PeerGateComponents, init: { readonly raftId: number }) {
    this.#components = components;
    this.#raftId = init.raftId;
  }

  /**
   * Registers a stream, which `end` will end if it has to. Returns what to call when it is over.
   * Throws SWM_NOT_FOUND to a removed member, and other errors to whom it is not to talk to.
   */
  accept(peer: PeerIdentity, end: End): () => void {
    const { membership, transport } = this.#components;
    if (this.#closed) throw this.#closed;
    if (membership.isRemoved(peer.from)) throw removed();
    if (peer.to !== this.#raftId) {
      const message = `This manager has the Raft id ${this.#raftId}, and not ${peer.to}.`;
      throw new SwarmError('SWM_FAILED_PRECONDITION', message);
    }
    // A sender that the log does not name yet is let in: it may know more of the log than we do.
    const member = membership.get(peer.from);
    if (member && member.nodeId !== peer.nodeId) {
      const message = `The Raft id ${peer.from} belongs to node ${member.nodeId}, not ${peer.nodeId}.`;
      throw new SwarmError('SWM_PERMISSION_DENIED', message);
    }
    transport.hint(peer.from, { nodeId: peer.nodeId, addr: peer.addr });
    this.#streams.set(end, peer.from);
    return () => this.#streams.delete(end);
  }

  receive(from: number, messages: readonly RaftMessage[]): void {
    if (this.#closed) return;
    const { view, loop } = this.#components;
    view.heard(from);
    for (const wire of messages) {
      const message = fromWire(wire);
      if (!message || message.from !== from || message.to !== this.#raftId) continue;
      // The data of a snapshot would be missing.
      if (message.type !== MessageType.Snap) loop.step(message);
    }
  }

  /** Resolves when the snapshot is stored and the core has seen it. */
  receiveSnapshot(
    from: number,
    stream: AsyncIterable<RaftSnapshotChunk>,
    cancel: () => void,
  ): Promise<void> {
    const { view, exchange } = this.#components;
    view.heard(from);
    return exchange.receive({ from, to: this.#raftId }, stream, cancel);
  }

  /** Where a member is, for one that does not know it. */
  addressOf(raftId: number): string | undefined {
    const { membership, transport } = this.#components;
    return membership.get(raftId)?.addr ?? transport.placeOf(raftId)?.addr;
  }

  /** Tells removed members what they are. */
  dismiss(raftId: number): void {
    for (const [end, from] of [...this.#streams]) if (from === raftId) this.#end(end, removed());
  }

  close(reason: SwarmError): void {
    this.#closed = reason;
    for (const end of [...this.#streams.keys()]) this.#end(end, reason);
  }

  #end(end: End, error: SwarmError): void {
    this.#streams.delete(end);
    end(error);
  }
}

function removed(): SwarmError {
  return new SwarmError('SWM_NOT_FOUND', MEMBER_REMOVED);
}
