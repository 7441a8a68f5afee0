import { Metadata } from '@grpc/grpc-js';
import type { Message } from 'raft-ts';
import type { RaftMember } from '../../proto/gen/swarm/raft.ts';
import { type Place, raftClient } from './dial.ts';
import { Peer, type PeerComponents, type PeerEvents } from './peer.ts';

export interface TransportInit {
  readonly self: { readonly raftId: number; readonly addr: string };
  readonly events: PeerEvents;
}

const RESOLVE_TIMEOUT_MS = 2000;

/**
 * The peers of this manager. It connects to every member ahead of time, so that an election does not
 * begin with handshakes, and to an unknown sender where that says it is, or where another member
 * says it is.
 */
export class Transport {
  readonly #components: PeerComponents;
  readonly #init: TransportInit;
  readonly #peers = new Map<number, Peer>();
  /** Where peers said themselves that they are: newer than what the log says. */
  readonly #hints = new Map<number, Place>();
  readonly #resolving = new Set<number>();
  /** Addresses as the log says, to see when it has news. */
  readonly #recorded = new Map<number, string>();
  #closed = false;

  constructor(components: PeerComponents, init: TransportInit) {
    this.#components = components;
    this.#init = init;
  }

  /** Follows the membership. */
  setMembers(members: readonly RaftMember[], isRemoved: (raftId: number) => boolean): void {
    if (this.#closed) return;
    for (const [raftId, peer] of this.#peers) {
      if (!isRemoved(raftId)) continue;
      peer.close();
      this.#peers.delete(raftId);
      this.#hints.delete(raftId);
    }
    for (const { raftId, nodeId, addr } of members) {
      if (raftId === this.#init.self.raftId || !addr) continue;
      if (this.#recorded.get(raftId) !== addr) this.#hints.delete(raftId);
      this.#recorded.set(raftId, addr);
      this.#place(raftId, this.#hints.get(raftId) ?? { nodeId, addr });
    }
  }

  /** A peer that called us told where it is. */
  hint(raftId: number, place: Place): void {
    if (this.#closed || !place.addr || raftId === this.#init.self.raftId) return;
    this.#hints.set(raftId, place);
    this.#place(raftId, place);
    this.#peers.get(raftId)?.wake();
  }

  send(message: Message): void {
    if (this.#closed) return;
    const peer = this.#peers.get(message.to);
    if (peer) peer.send(message);
    else this.#resolve(message.to);
  }

  /** Sends what was queued in this event loop turn. */
  flush(): void {
    for (const peer of this.#peers.values()) peer.flush();
  }

  isUp(raftId: number): boolean {
    return this.#peers.get(raftId)?.up ?? false;
  }

  /** Where the peer is now, as far as known. */
  placeOf(raftId: number): Place | undefined {
    const peer = this.#peers.get(raftId);
    return peer && { nodeId: peer.nodeId, addr: peer.addr };
  }

  close(): void {
    this.#closed = true;
    for (const peer of this.#peers.values()) peer.close();
    this.#peers.clear();
  }

  #place(raftId: number, place: Place): void {
    const peer = this.#peers.get(raftId);
    if (peer) {
      peer.moveTo(place);
      return;
    }
    const { self, events } = this.#init;
    this.#peers.set(raftId, new Peer(this.#components, { raftId, ...place, self, events }));
  }

  /** Asks the members in turn. The message that needs the answer is lost; Raft sends another. */
  #resolve(raftId: number): void {
    if (this.#resolving.has(raftId)) return;
    this.#resolving.add(raftId);
    this.#askPeers(raftId)
      .then((addr) => {
        if (addr && !this.#closed && !this.#peers.has(raftId)) {
          this.#place(raftId, { nodeId: '', addr });
        }
      })
      .finally(() => this.#resolving.delete(raftId));
  }

  async #askPeers(raftId: number): Promise<string | undefined> {
    for (const peer of [...this.#peers.values()]) {
      if (!peer.up) continue;
      const addr = await this.#ask(peer, raftId);
      if (addr) return addr;
    }
    return undefined;
  }

  #ask(peer: Peer, raftId: number): Promise<string | undefined> {
    const client = raftClient(this.#components, peer);
    const deadline = this.#components.clock.now() + RESOLVE_TIMEOUT_MS;
    return new Promise((resolve) => {
      client.resolveAddress({ raftId }, new Metadata(), { deadline }, (error, response) => {
        client.close();
        resolve(error ? undefined : response.addr);
      });
    });
  }
}
