import type {
  GossipApi,
  GossipChange,
  GossipMember,
  GossipTable,
  GossipTableRow,
} from '../../../netdriver/gossip/types.ts';
import type { SwarmIdentity } from '../../../netdriver/types.ts';

type RowListener = (networkId: string, changes: readonly GossipChange[]) => void;
type MemberListener = (nodeId: string, alive: boolean) => void;

interface BusRow extends GossipTableRow {
  readonly networkId: string;
  readonly table: GossipTable;
}

/** Gossip between nodes of one process: what one writes, the others see in a later turn. */
export class GossipBus {
  readonly #nodes = new Set<BusGossip>();
  /** Ids of the nodes of the swarm: those that are here, and those that went without a word. */
  readonly memberIds = new Set<string>();
  readonly #rows = new Map<string, BusRow>();
  readonly #dead = new Set<string>();
  /** While deaf, nodes have their own rows only: the first exchange is still to come. */
  isDeaf = false;
  heard: Promise<void> = Promise.resolve();
  #hear: () => void = () => {};
  #ltime = 0;

  node(): GossipApi {
    return new BusGossip(this);
  }

  deafen(): void {
    this.isDeaf = true;
    this.heard = new Promise((resolve) => {
      this.#hear = resolve;
    });
  }

  hear(): void {
    this.isDeaf = false;
    this.#hear();
    for (const row of this.#rows.values()) this.announce(row, row.value);
  }

  /** Hides the node's rows from the others, as if it had failed; or shows them again. */
  setAlive(nodeId: string, alive: boolean): void {
    if (alive) this.#dead.delete(nodeId);
    else this.#dead.add(nodeId);
    for (const row of this.#rows.values()) {
      if (row.owner === nodeId) this.announce(row, alive ? row.value : undefined);
    }
    for (const node of this.#nodes) node.notifyMember(nodeId, alive);
  }

  isAlive(nodeId: string): boolean {
    return !this.#dead.has(nodeId);
  }

  nodes(): readonly BusGossip[] {
    return [...this.#nodes];
  }

  enter(node: BusGossip, nodeId: string): void {
    this.#nodes.add(node);
    this.memberIds.add(nodeId);
  }

  exit(node: BusGossip, nodeId: string, leave: boolean): void {
    this.#nodes.delete(node);
    if (!leave) return;
    this.memberIds.delete(nodeId);
    for (const row of [...this.#rows.values()]) if (row.owner === nodeId) this.delete(row);
  }

  write(row: Omit<BusRow, 'ltime'>): void {
    const written = { ...row, ltime: ++this.#ltime };
    this.#rows.set(keyOf(row), written);
    this.announce(written, row.value);
  }

  delete(row: Pick<BusRow, 'networkId' | 'table' | 'key' | 'owner'>): void {
    if (this.#rows.delete(keyOf(row))) this.announce(row, undefined);
  }

  rows(networkId: string, table: GossipTable): BusRow[] {
    return [...this.#rows.values()].filter(
      (row) => row.networkId === networkId && row.table === table && this.isAlive(row.owner),
    );
  }

  announce(
    row: Pick<BusRow, 'networkId' | 'table' | 'key' | 'owner'>,
    value: Uint8Array | undefined,
  ): void {
    for (const node of this.#nodes) node.notify(row, value);
  }
}

class BusGossip implements GossipApi {
  readonly #bus: GossipBus;
  readonly #listeners = new Set<RowListener>();
  readonly #memberListeners = new Set<MemberListener>();
  readonly networks = new Set<string>();
  identity: SwarmIdentity | undefined;

  constructor(bus: GossipBus) {
    this.#bus = bus;
  }

  async start(identity: SwarmIdentity): Promise<void> {
    this.identity = identity;
    this.#bus.enter(this, identity.nodeId);
  }

  async stop({ leave }: { leave: boolean } = { leave: true }): Promise<void> {
    if (this.identity === undefined) return;
    this.#bus.exit(this, this.#self(), leave);
    this.networks.clear();
    this.identity = undefined;
  }

  setPeers(): void {}

  joinNetwork(networkId: string): void {
    this.#self();
    this.networks.add(networkId);
    for (const table of ['endpoints', 'peers'] as const) {
      for (const row of this.#bus.rows(networkId, table)) this.notify(row, row.value);
    }
  }

  leaveNetwork(networkId: string): void {
    const owner = this.#self();
    for (const table of ['endpoints', 'peers'] as const) {
      for (const row of this.#bus.rows(networkId, table)) {
        if (row.owner === owner) this.#bus.delete(row);
      }
    }
    this.networks.delete(networkId);
  }

  synced(): Promise<void> {
    return this.#bus.heard;
  }

  put(networkId: string, table: GossipTable, key: string, value: Uint8Array): void {
    if (!this.networks.has(networkId)) throw new Error(`network ${networkId} was not joined`);
    this.#bus.write({ networkId, table, key, value, owner: this.#self() });
  }

  remove(networkId: string, table: GossipTable, key: string): void {
    this.#bus.delete({ networkId, table, key, owner: this.#self() });
  }

  rows(networkId: string, table: GossipTable): readonly GossipTableRow[] {
    if (!this.networks.has(networkId)) return [];
    const rows = this.#bus.rows(networkId, table);
    return this.#bus.isDeaf ? rows.filter((row) => row.owner === this.#self()) : rows;
  }

  subscribe(listener: RowListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  attendance(networkId: string): readonly { nodeId: string; ip: string }[] {
    return this.#bus
      .nodes()
      .flatMap(({ identity, networks }) =>
        identity && networks.has(networkId)
          ? [{ nodeId: identity.nodeId, ip: identity.advertiseAddr }]
          : [],
      );
  }

  members(): readonly GossipMember[] {
    const ids = [...this.#bus.memberIds];
    return ids.map((nodeId) => ({ nodeId, alive: this.#bus.isAlive(nodeId) }));
  }

  onMembers(listener: MemberListener): () => void {
    this.#memberListeners.add(listener);
    return () => this.#memberListeners.delete(listener);
  }

  notify(
    row: Pick<BusRow, 'networkId' | 'table' | 'key' | 'owner'>,
    value: Uint8Array | undefined,
  ): void {
    const { networkId, table, key, owner } = row;
    setImmediate(() => {
      if (!this.networks.has(networkId)) return;
      for (const listener of this.#listeners) listener(networkId, [{ table, key, owner, value }]);
    });
  }

  notifyMember(nodeId: string, alive: boolean): void {
    for (const listener of this.#memberListeners) listener(nodeId, alive);
  }

  #self(): string {
    if (!this.identity) throw new Error('gossip was not started');
    return this.identity.nodeId;
  }
}

function keyOf(row: Pick<BusRow, 'networkId' | 'table' | 'key'>): string {
  return `${row.networkId} ${row.table} ${row.key}`;
}
