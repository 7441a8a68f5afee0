import type { Random } from '../../../common/random.ts';
import type {
  GossipTransport,
  RequestProtocol,
  TransportHandlers,
} from '../../../netdriver/gossip/transport.ts';
import type { GossipPeer } from '../../../proto/gen/swarm/dispatcher.ts';
import type { VirtualClock } from '../../support/virtual-clock.ts';

/** A network of gossip transports on virtual time, with partitions and lost messages. */
export class SimNetwork {
  private readonly clock: VirtualClock;
  private readonly random: Random;
  private readonly nodes = new Map<string, SimTransport>();
  private readonly islands = new Map<string, number>();
  /** Of published messages; requests are reliable within a connection. */
  lossRate = 0;

  constructor(components: { clock: VirtualClock; random: Random }) {
    this.clock = components.clock;
    this.random = components.random;
  }

  transport(nodeId: string): SimTransport {
    return new SimTransport(nodeId, this);
  }

  /** Nodes on different islands do not reach each other; everyone starts on 0. */
  moveTo(island: number, ...nodeIds: readonly string[]): void {
    const before = this.pairs();
    for (const nodeId of nodeIds) this.islands.set(nodeId, island);
    this.tellChanges(before);
  }

  add(node: SimTransport): void {
    const before = this.pairs();
    this.nodes.set(node.nodeId, node);
    this.tellChanges(before);
  }

  remove(node: SimTransport): void {
    const before = this.pairs();
    this.nodes.delete(node.nodeId);
    this.tellChanges(before);
  }

  reaches(from: string, to: string): boolean {
    const same = (this.islands.get(from) ?? 0) === (this.islands.get(to) ?? 0);
    return same && this.nodes.has(from) && this.nodes.has(to);
  }

  publish(from: SimTransport, topic: string, data: Uint8Array): void {
    for (const node of this.nodes.values()) {
      if (node === from || !this.reaches(from.nodeId, node.nodeId)) continue;
      if (!node.topics.has(topic) || this.random.float() < this.lossRate) continue;
      this.clock.setTimer(1 + this.random.float() * 40, () => {
        if (this.nodes.get(node.nodeId) === node) node.handlers?.message(topic, from.nodeId, data);
      });
    }
  }

  request(
    from: string,
    to: string,
    protocol: RequestProtocol,
    data: Uint8Array,
    signal: AbortSignal,
  ) {
    return new Promise<Uint8Array>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      if (!this.nodes.has(to)) return reject(new Error('connection refused'));
      if (!this.reaches(from, to)) return; // no answer until the signal fires
      this.clock.setTimer(1 + this.random.float() * 10, () => {
        this.nodes.get(to)?.handlers?.request(protocol, from, data).then(resolve, reject);
      });
    });
  }

  private pairs(): Set<string> {
    const ids = [...this.nodes.keys()];
    return new Set(
      ids.flatMap((a) => ids.filter((b) => this.reaches(a, b)).map((b) => `${a}>${b}`)),
    );
  }

  private tellChanges(before: Set<string>): void {
    const after = this.pairs();
    for (const pair of [...before, ...after]) {
      const [from, to] = pair.split('>') as [string, string];
      if (from === to || before.has(pair) === after.has(pair)) continue;
      const handlers = this.nodes.get(from)?.handlers;
      if (after.has(pair)) handlers?.connected(to);
      else handlers?.disconnected(to);
    }
  }
}

class SimTransport implements GossipTransport {
  readonly nodeId: string;
  readonly topics = new Set<string>();
  handlers: TransportHandlers | undefined;
  private readonly network: SimNetwork;

  constructor(nodeId: string, network: SimNetwork) {
    this.nodeId = nodeId;
    this.network = network;
  }

  async start(handlers: TransportHandlers): Promise<void> {
    this.handlers = handlers;
    this.network.add(this);
  }

  async stop(): Promise<void> {
    this.network.remove(this);
  }

  setPeers(_peers: readonly GossipPeer[]): void {}

  isConnected(nodeId: string): boolean {
    return this.network.reaches(this.nodeId, nodeId);
  }

  disconnect(_nodeId: string): void {}

  subscribe(topic: string): void {
    this.topics.add(topic);
  }

  unsubscribe(topic: string): void {
    this.topics.delete(topic);
  }

  publish(topic: string, data: Uint8Array): void {
    this.network.publish(this, topic, data);
  }

  request(nodeId: string, protocol: RequestProtocol, data: Uint8Array, signal: AbortSignal) {
    return this.network.request(this.nodeId, nodeId, protocol, data, signal);
  }
}
