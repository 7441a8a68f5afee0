import type { GossipPeer } from '../../proto/gen/swarm/dispatcher.ts';

export type RequestProtocol = '/swarm/probe/1' | '/swarm/sync/1';

export interface TransportHandlers {
  /** A message on a topic, from its signed author. */
  message(topic: string, from: string, data: Uint8Array): void;
  /** The answer to another node's request. A throw closes the stream without an answer. */
  request(protocol: RequestProtocol, from: string, data: Uint8Array): Promise<Uint8Array>;
  connected(nodeId: string): void;
  disconnected(nodeId: string): void;
}

/** How gossip reaches other nodes. Nodes are named by their node ids on this side of it. */
export interface GossipTransport {
  start(handlers: TransportHandlers): Promise<void>;
  stop(): Promise<void>;
  /** Connections are kept to these and accepted from these only. */
  setPeers(peers: readonly GossipPeer[]): void;
  isConnected(nodeId: string): boolean;
  /** Drops a connection that does not answer any more, so that the next dial starts afresh. */
  disconnect(nodeId: string): void;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** Best effort: anti-entropy repairs what is lost. */
  publish(topic: string, data: Uint8Array): void;
  /** Rejects when there is no connection, no answer, or the signal fires. */
  request(
    nodeId: string,
    protocol: RequestProtocol,
    data: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array>;
}
