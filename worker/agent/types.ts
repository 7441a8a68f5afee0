import type { GossipPeer } from '../../proto/gen/swarm/dispatcher.ts';
import type { Node } from '../../proto/gen/swarm/objects.ts';
import type { EncryptionKey, NodeDescription, WeightedPeer } from '../../proto/gen/swarm/types.ts';
import type { SwarmAttacher } from '../engine/types.ts';

/** What the agent learned from the leader, whenever any of it changed. */
export interface SessionState {
  readonly node: Node | undefined;
  readonly managers: readonly WeightedPeer[];
  readonly rootCa: string; // PEM
  readonly gossipPeers: readonly GossipPeer[];
  readonly networkKeys: readonly EncryptionKey[];
  readonly vxlanUdpPort: number;
}

/** The worker side of a node: runs what the dispatcher assigns and reports on it. */
export interface AgentApi {
  start(): Promise<void>;
  /** `leave`: tells the leader and ends all tasks first; otherwise containers go on running. */
  stop(options: { leave: boolean }): Promise<void>;
  /** Resolves with the first session. */
  ready(signal?: AbortSignal): Promise<void>;
  readonly session: SessionState | undefined;
  onSession(listener: (state: SessionState) => void): () => void;
  /** Standalone containers get their addresses on swarm networks through this. */
  readonly attacher: SwarmAttacher;
  /** Refreshes what the node tells of itself at the next occasion. */
  describe(description: NodeDescription): void;
}
