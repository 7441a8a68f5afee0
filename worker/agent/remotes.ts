import type { Random } from '../../common/random.ts';
import type { Peer, WeightedPeer } from '../../proto/gen/swarm/types.ts';

const OBSERVATION = 10;
const WEIGHT_MAX = 256;
const SMOOTHING = 0.5;
/** Keeps every manager a candidate, and makes the choice uniform while none is better. */
const BIAS = 0.001;

/** The managers that this node knows, each with how well it served. */
export class Remotes {
  readonly #random: Random;
  readonly #onChange: (peers: readonly Peer[]) => void;
  /** By address: two managers never share one, and before the first session there is no node id. */
  readonly #weights = new Map<string, { nodeId: string; weight: number }>();

  /** `onChange` gets the whole list, sorted by node id, to be kept for the next start. */
  constructor(
    components: { random: Random; onChange?: (peers: readonly Peer[]) => void },
    init: { peers: readonly Peer[] },
  ) {
    this.#random = components.random;
    this.#onChange = components.onChange ?? (() => undefined);
    for (const { nodeId, addr } of init.peers) this.#weights.set(addr, { nodeId, weight: 0 });
  }

  get size(): number {
    return this.#weights.size;
  }

  peers(): readonly Peer[] {
    const peers = [...this.#weights].map(([addr, { nodeId }]) => ({ nodeId, addr }));
    return peers.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  /** Random, in proportion to the weights; undefined when no manager is known. */
  choose(): string | undefined {
    const shares = [...this.#weights].map(([addr, { weight }]) => ({
      addr,
      share: Math.max(0, weight) + BIAS,
    }));
    let left = this.#random.float() * shares.reduce((sum, { share }) => sum + share, 0);
    for (const { addr, share } of shares) {
      left -= share;
      if (left < 0) return addr;
    }
    return shares.at(-1)?.addr;
  }

  succeeded(addr: string): void {
    this.#observe(addr, OBSERVATION);
  }

  failed(addr: string): void {
    this.#observe(addr, -OBSERVATION);
  }

  /**
   * The leader's list replaces what was known. Entries without an address are left out. `serving`, the
   * address of the present session, is kept: those that managers advertise may not be reachable from here.
   */
  replace(managers: readonly WeightedPeer[], serving?: string): void {
    const listed = managers.filter(({ peer }) => peer?.addr);
    if (listed.length === 0) return;
    const before = JSON.stringify(this.peers());
    const kept = new Set([serving, ...listed.map(({ peer }) => peer?.addr)]);
    for (const addr of this.#weights.keys()) if (!kept.has(addr)) this.#weights.delete(addr);
    for (const { peer, weight } of listed) {
      if (!peer) continue;
      const known = this.#weights.get(peer.addr);
      this.#weights.set(peer.addr, { nodeId: peer.nodeId, weight: known?.weight ?? weight });
    }
    if (JSON.stringify(this.peers()) !== before) this.#onChange(this.peers());
  }

  #observe(addr: string, observation: number): void {
    const known = this.#weights.get(addr);
    if (!known) return;
    const weight = Math.ceil(SMOOTHING * observation + SMOOTHING * known.weight);
    known.weight = Math.max(-WEIGHT_MAX, Math.min(WEIGHT_MAX, weight));
  }
}
