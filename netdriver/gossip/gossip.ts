import type { Clock } from '../../common/clock.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { GossipPeer } from '../../proto/gen/swarm/dispatcher.ts';
import type { SwarmIdentity } from '../types.ts';
import { GossipSession } from './session.ts';
import type { GossipTransport } from './transport.ts';
import type {
  GossipApi,
  GossipChange,
  GossipMember,
  GossipTable,
  GossipTableRow,
} from './types.ts';

export interface GossipComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Makes the transport of one membership in a swarm. */
  readonly transport: (identity: SwarmIdentity) => GossipTransport;
}

/**
 * Dissemination by gossipsub, failure detection by SWIM probes, repair by anti-entropy: what
 * memberlist and NetworkDB do for Docker. Listeners outlive memberships; the session is one.
 */
export class Gossip implements GossipApi {
  private readonly components: GossipComponents;
  private readonly rowListeners = new Set<
    (networkId: string, changes: readonly GossipChange[]) => void
  >();
  private readonly memberListeners = new Set<(nodeId: string, alive: boolean) => void>();
  private session: GossipSession | undefined;
  /** Undefined until a manager has told them. */
  private peers: readonly GossipPeer[] | undefined;

  constructor(components: GossipComponents) {
    this.components = components;
  }

  async start(identity: SwarmIdentity): Promise<void> {
    if (this.session) throw new Error('gossip was started already');
    const session = new GossipSession(this.components, {
      identity,
      events: {
        rows: (networkId, changes) => {
          for (const listener of this.rowListeners) listener(networkId, changes);
        },
        liveness: (nodeId, alive) => {
          for (const listener of this.memberListeners) listener(nodeId, alive);
        },
      },
    });
    await session.start();
    this.session = session;
    if (this.peers) session.setPeers(this.peers);
  }

  async stop(options: { leave: boolean } = { leave: true }): Promise<void> {
    const session = this.session;
    this.session = undefined;
    if (options.leave) this.peers = undefined;
    await session?.stop(options);
  }

  setPeers(peers: readonly GossipPeer[]): void {
    this.peers = peers;
    this.session?.setPeers(peers);
  }

  joinNetwork(networkId: string): void {
    this.active().join(networkId);
  }

  leaveNetwork(networkId: string): void {
    this.active().leave(networkId);
  }

  synced(networkId: string): Promise<void> {
    return this.session?.firstSyncs.wait(networkId) ?? Promise.resolve();
  }

  put(networkId: string, table: GossipTable, key: string, value: Uint8Array): void {
    this.active().put(networkId, table, key, value);
  }

  remove(networkId: string, table: GossipTable, key: string): void {
    this.active().remove(networkId, table, key);
  }

  rows(networkId: string, table: GossipTable): readonly GossipTableRow[] {
    return this.session?.tables.rows(networkId, table) ?? [];
  }

  subscribe(listener: (networkId: string, changes: readonly GossipChange[]) => void): () => void {
    this.rowListeners.add(listener);
    return () => this.rowListeners.delete(listener);
  }

  attendance(networkId: string): readonly { nodeId: string; ip: string }[] {
    return this.session?.attending(networkId) ?? [];
  }

  members(): readonly GossipMember[] {
    const session = this.session;
    if (!session) return [];
    return [{ nodeId: session.identity.nodeId, alive: true }, ...session.detector.list()];
  }

  onMembers(listener: (nodeId: string, alive: boolean) => void): () => void {
    this.memberListeners.add(listener);
    return () => this.memberListeners.delete(listener);
  }

  private active(): GossipSession {
    if (!this.session) throw new Error('gossip is not started');
    return this.session;
  }
}
