import { PeerRecord } from '../../proto/gen/swarm/gossip.ts';
import type { LoadBalancer } from '../balancer/load-balancer.ts';
import { planBalancer } from '../balancer/plan.ts';
import type { BalancerPlan, BalancerScheduler } from '../balancer/types.ts';
import type { GossipApi } from '../gossip/types.ts';
import { ipOf } from '../ipv4.ts';
import { INGRESS_ENDPOINT } from '../names.ts';
import type { EndpointRow, Records } from '../records.ts';
import type { NetworkConfig, SwarmIdentity } from '../types.ts';
import type { OverlayDevices } from './overlay-devices.ts';
import { planPeers, unionOf } from './peers.ts';
import { overlayMtu } from './plan.ts';

/**
 * Above this many nodes on the ingress network clients' addresses are hidden: every container of a
 * published service would need a route back to each of them.
 */
export const CLIENT_ADDRESS_NODES_MAX = 256;

const SCHEDULER_OPTION = 'swarm.balancer.scheduler';

export interface LocalEndpoint {
  readonly id: string;
  /** CIDR. */
  readonly address: string;
  readonly mac: string;
}

export interface OverlayBalancer {
  readonly sandbox: LoadBalancer;
  readonly endpoint: LocalEndpoint;
}

interface Components {
  readonly gossip: GossipApi;
  readonly records: Records;
  readonly devices: OverlayDevices;
}

/** One overlay network that is present on this node. */
export class Overlay {
  readonly network: NetworkConfig;
  readonly devices: OverlayDevices;
  readonly endpoints = new Map<string, LocalEndpoint>();
  balancer: OverlayBalancer | undefined;
  plan: BalancerPlan | undefined;
  readonly #gossip: GossipApi;
  readonly #records: Records;
  /**
   * The rows of the other nodes are here. Until then the kernel's state, taken over from an earlier
   * life, knows more than the rows do, and nothing is removed from it.
   */
  #settled: boolean;
  #identity: SwarmIdentity | undefined;

  constructor(components: Components, init: { network: NetworkConfig; adopted: boolean }) {
    this.#gossip = components.gossip;
    this.#records = components.records;
    this.devices = components.devices;
    this.network = init.network;
    this.#settled = !init.adopted;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /**
   * Starts to tell and to hear, or starts anew. Resolves when the first exchange with the others is
   * over.
   */
  async announce(identity: SwarmIdentity): Promise<void> {
    if (this.#identity) this.#settled = false;
    this.#identity = identity;
    this.#gossip.joinNetwork(this.network.id);
    for (const endpoint of this.endpoints.values()) this.#announceEndpoint(endpoint);
    if (this.#settled) return;
    await this.#gossip.synced(this.network.id);
    this.#settled = true;
  }

  silence(): void {
    if (this.#identity) this.#gossip.leaveNetwork(this.network.id);
    this.#records.forget(this.network.id);
    this.#identity = undefined;
  }

  add(endpoint: LocalEndpoint): void {
    this.endpoints.set(endpoint.id, endpoint);
    this.#announceEndpoint(endpoint);
  }

  delete(endpointId: string): void {
    if (!this.endpoints.delete(endpointId) || !this.#identity) return;
    this.#gossip.remove(this.network.id, 'peers', endpointId);
    this.#gossip.remove(this.network.id, 'endpoints', endpointId);
  }

  /** Makes the devices know what the rows say. */
  async syncPeers(): Promise<void> {
    if (!this.#identity) return;
    const addresses = new Set([...this.endpoints.values()].map(({ address }) => ipOf(address)));
    const planned = planPeers(this.network, this.#records.peers(this.network.id), {
      nodeId: this.#identity.nodeId,
      addresses,
    });
    await this.devices.setPeers(this.#settled ? planned : unionOf([this.devices.peers, planned]));
  }

  /** Makes the balancer do what the rows say; the plan is undefined while nothing is to change. */
  async syncBalancer(): Promise<void> {
    if (!this.balancer || !this.#identity || !this.#settled) return;
    const rows = this.#records.endpoints(this.network.id);
    this.plan = planBalancer(rows, {
      address: ipOf(this.balancer.endpoint.address),
      scheduler: schedulerOf(this.network),
      mtu: overlayMtu(this.network),
      ingress: this.network.ingress,
      hideClients: ingressAddresses(rows).length > CLIENT_ADDRESS_NODES_MAX,
    });
    await this.balancer.sandbox.apply(this.plan);
  }

  #announceEndpoint(endpoint: LocalEndpoint): void {
    if (!this.#identity) return;
    const record = PeerRecord.fromPartial({
      endpointIp: endpoint.address,
      endpointMac: endpoint.mac,
      tunnelEndpointIp: this.#identity.dataPathAddr,
    });
    const value = PeerRecord.encode(record).finish();
    this.#gossip.put(this.network.id, 'peers', endpoint.id, value);
  }
}

/** The nodes' own endpoints on the ingress network, lowest first. */
export function ingressAddresses(rows: readonly EndpointRow[]): string[] {
  return rows
    .filter((row) => row.record.name === INGRESS_ENDPOINT && !row.record.serviceId)
    .map((row) => row.record.endpointIp)
    .sort();
}

function schedulerOf(network: NetworkConfig): BalancerScheduler {
  return network.options[SCHEDULER_OPTION] === 'sh' ? 'sh' : 'rr';
}
