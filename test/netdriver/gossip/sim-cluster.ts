import { silentLogger } from '../../../common/logger.ts';
import { Gossip } from '../../../netdriver/gossip/gossip.ts';
import type { GossipTable } from '../../../netdriver/gossip/types.ts';
import type { SwarmIdentity } from '../../../netdriver/types.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { SimNetwork } from './sim-network.ts';

/** Gossip nodes n0, n1, … on virtual time from a seed. */
export class SimCluster {
  readonly clock = new VirtualClock();
  readonly network: SimNetwork;
  readonly nodes = new Map<string, Gossip>();
  private readonly seed: number;
  private members: string[] = [];

  constructor(seed: number) {
    this.seed = seed;
    this.network = new SimNetwork({ clock: this.clock, random: seededRandom(seed) });
  }

  static async start(seed: number, size: number): Promise<SimCluster> {
    const cluster = new SimCluster(seed);
    cluster.members = Array.from({ length: size }, (_, i) => `n${i}`);
    for (const nodeId of cluster.members) await cluster.boot(nodeId);
    return cluster;
  }

  /** Starts a node, or starts it again with nothing remembered. */
  async boot(nodeId: string): Promise<Gossip> {
    const gossip = new Gossip({
      clock: this.clock,
      random: seededRandom(this.seed + this.nodes.size + this.clock.now()),
      logger: silentLogger,
      transport: () => this.network.transport(nodeId),
    });
    this.nodes.set(nodeId, gossip);
    await gossip.start(identityOf(nodeId));
    gossip.setPeers(
      this.members.map((id) => ({ nodeId: id, peerId: id, addr: `${id}:7946`, dataPathAddr: id })),
    );
    return gossip;
  }

  /** Ends a node without a word. */
  async crash(nodeId: string): Promise<void> {
    await this.node(nodeId).stop({ leave: false });
    this.nodes.delete(nodeId);
  }

  node(nodeId: string): Gossip {
    const gossip = this.nodes.get(nodeId);
    if (!gossip) throw new Error(`no node ${nodeId}`);
    return gossip;
  }

  /** `key=value@owner` of every row that `nodeId` shows. */
  view(nodeId: string, networkId: string, table: GossipTable = 'endpoints'): string[] {
    return this.node(nodeId)
      .rows(networkId, table)
      .map((row) => `${row.key}=${Buffer.from(row.value).toString()}@${row.owner}`)
      .sort();
  }

  agree(networkId: string, nodeIds: readonly string[] = [...this.nodes.keys()]): boolean {
    const views = nodeIds.map((nodeId) => this.view(nodeId, networkId).join());
    return views.every((view) => view === views[0]);
  }

  async stop(): Promise<void> {
    for (const gossip of this.nodes.values()) await gossip.stop({ leave: false });
  }
}

function identityOf(nodeId: string): SwarmIdentity {
  return {
    nodeId,
    gossipKey: new Uint8Array(32),
    gossipListen: '127.0.0.1:7946',
    advertiseAddr: nodeId,
    dataPathAddr: nodeId,
    dataPathPort: 4789,
  };
}
