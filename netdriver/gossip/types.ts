import type { GossipPeer } from '../../proto/gen/swarm/dispatcher.ts';
import type { SwarmIdentity } from '../types.ts';

export type GossipTable = 'endpoints' | 'peers';

export interface GossipTableRow {
  readonly key: string;
  /** Node id of the only writer of this row. */
  readonly owner: string;
  /** Lamport time of the write: of rows that contradict each other, the latest is believed. */
  readonly ltime: number;
  readonly value: Uint8Array;
}

/** One row that came, changed, or went; also when its owner failed or came back. */
export interface GossipChange {
  readonly table: GossipTable;
  readonly key: string;
  readonly owner: string;
  /** Undefined: the row is gone or hidden. */
  readonly value: Uint8Array | undefined;
}

export interface GossipMember {
  readonly nodeId: string;
  readonly alive: boolean;
}

/**
 * The data plane's view of gossip: tables per network that every attending node sees whole, sooner
 * or later. Rows have one owner; rows of owners that failed are hidden and come back with them.
 * `rows` and `attendance` answer from memory, this node's own writes included at once.
 */
export interface GossipApi {
  start(identity: SwarmIdentity): Promise<void>;
  /**
   * `leave` (the default) says goodbye to the others, and all rows of this node go with it. Without
   * it the others find this node silent, and its rows show again when it comes back. Idempotent.
   */
  stop(options?: { leave: boolean }): Promise<void>;

  /** The whole list; nodes that are not in it are neither called nor let in. */
  setPeers(peers: readonly GossipPeer[]): void;

  /** Idempotent. Rows of the others arrive through `subscribe`. */
  joinNetwork(networkId: string): void;
  /** Idempotent. Removes this node's rows of the network and forgets those of the others. */
  leaveNetwork(networkId: string): void;
  /**
   * Resolves when the rows of the others have been fetched after a join: from one of them, or there
   * is nobody to ask, or nobody answered in time. Until then missing rows mean nothing.
   */
  synced(networkId: string): Promise<void>;

  /** Creates or replaces a row of this node. The network must have been joined. */
  put(networkId: string, table: GossipTable, key: string, value: Uint8Array): void;
  remove(networkId: string, table: GossipTable, key: string): void;

  rows(networkId: string, table: GossipTable): readonly GossipTableRow[];
  /**
   * Called after the change is visible in `rows`, for local writes too; several changes of one
   * network may come together. Returns the way out.
   */
  subscribe(listener: (networkId: string, changes: readonly GossipChange[]) => void): () => void;

  /** The living nodes that have this network now, this one included when it joined. */
  attendance(networkId: string): readonly { nodeId: string; ip: string }[];

  members(): readonly GossipMember[];
  /** Called when the opinion of a node's life changed. Returns the way out. */
  onMembers(listener: (nodeId: string, alive: boolean) => void): () => void;
}
