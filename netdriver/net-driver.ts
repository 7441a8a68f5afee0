import type { Clock } from '../common/clock.ts';
import { sleep } from '../common/clock.ts';
import { errorMessage, SwarmError } from '../common/errors.ts';
import type { Logger } from '../common/logger.ts';
import type { Random } from '../common/random.ts';
import type { GossipPeer } from '../proto/gen/swarm/dispatcher.ts';
import { EndpointRecord } from '../proto/gen/swarm/gossip.ts';
import type { NetworkAttachment } from '../proto/gen/swarm/objects.ts';
import { IpvsBalancer } from './balancer/ipvs.ts';
import { NftablesBalancer } from './balancer/nftables.ts';
import { Bridges } from './bridge/bridges.ts';
import { HostFirewall } from './bridge/host-firewall.ts';
import { LocalNetworks, type LocalNetworksFile } from './bridge/local-networks.ts';
import { PortPublisher } from './bridge/port-publisher.ts';
import type { GossipApi, GossipChange } from './gossip/types.ts';
import { IngressGate } from './ingress/ingress-gate.ts';
import { localView, overlayView } from './inspect.ts';
import type { Kernel } from './kernel/types.ts';
import { removeLeftovers } from './leftovers.ts';
import { ipv4Only, networkConfigOf } from './network-config.ts';
import { type OverlayAttachment, Overlays } from './overlay/overlays.ts';
import { Records } from './records.ts';
import { Forwarder } from './resolver/forwarder.ts';
import { HostResolvConf } from './resolver/host-resolv-conf.ts';
import { NameDirectory } from './resolver/name-directory.ts';
import { endpointRecordOf } from './sandbox/endpoint-records.ts';
import { Gateway } from './sandbox/gateway.ts';
import { Sandbox, type SandboxEndpoint } from './sandbox/sandbox.ts';
import { Wiring } from './sandbox/wiring.ts';
import { spreadTime } from './spread-time.ts';
import { StateFile } from './state-file.ts';
import type {
  EndpointConfig,
  EndpointInfo,
  LocalNetwork,
  NetDriverApi,
  NetworkConfig,
  NetworkView,
  SandboxConfig,
  SandboxInfo,
  SandboxState,
  SwarmIdentity,
} from './types.ts';

export interface NetDriverComponents {
  readonly kernel: Kernel;
  readonly gossip: GossipApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface NetDriverInit {
  /** Folder for what must outlive the daemon. */
  readonly stateDir: string;
  /** `ipvs` needs the kernel's ip_vs and ipvsadm. Default nftables. */
  readonly balancer?: 'nftables' | 'ipvs';
  /** Default /etc/resolv.conf. */
  readonly hostResolvConf?: string;
}

interface AttachmentsFile {
  readonly version: 1;
  readonly attachments: readonly OverlayAttachment[];
}

const FIRST_LB_INDEX = 256;
/** Kept on disk so that a restarted daemon knows its balancers before a manager answers. */
const ATTACHMENTS_FILE = 'node-attachments.json';
const NETWORKS_FILE = 'local-networks.json';

/** Composes the data plane of one node. */
export class NetDriver implements NetDriverApi {
  readonly #components: NetDriverComponents;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #networks: LocalNetworks;
  readonly #firewall: HostFirewall;
  readonly #bridges: Bridges;
  readonly #ports: PortPublisher;
  readonly #gate: IngressGate;
  readonly #overlays: Overlays;
  readonly #records: Records;
  readonly #names: NameDirectory;
  readonly #wiring: Wiring;
  readonly #hostResolvConf: HostResolvConf;
  readonly #attachmentsFile: StateFile<AttachmentsFile>;
  readonly #lbIndexes = new Map<string, number>();
  #unsubscribe: () => void = () => {};

  constructor(components: NetDriverComponents, init: NetDriverInit) {
    this.#components = components;
    const { kernel, gossip } = components;
    const file = new StateFile<LocalNetworksFile>(`${init.stateDir}/${NETWORKS_FILE}`);
    this.#attachmentsFile = new StateFile(`${init.stateDir}/${ATTACHMENTS_FILE}`);
    this.#hostResolvConf = new HostResolvConf(
      components,
      init.hostResolvConf ? { path: init.hostResolvConf } : {},
    );
    this.#networks = new LocalNetworks({ ...components, file });
    const firewall = new HostFirewall(components);
    const bridges = new Bridges({ kernel, firewall });
    const gateway = new Gateway({ kernel, bridges, networks: this.#networks });
    const Engine = init.balancer === 'ipvs' ? IpvsBalancer : NftablesBalancer;
    this.#firewall = firewall;
    this.#bridges = bridges;
    this.#records = new Records(gossip);
    this.#ports = new PortPublisher({ kernel, firewall });
    this.#gate = new IngressGate({ ...components, firewall, gateway });
    this.#overlays = new Overlays({
      ...components,
      records: this.#records,
      gate: this.#gate,
      engine: (netns, options) => new Engine({ kernel }, { netns, ...options }),
    });
    this.#names = new NameDirectory({
      records: this.#records,
      sandboxes: () => this.#sandboxes.values(),
      ingressId: () => this.#ingressId(),
    });
    this.#wiring = new Wiring({
      ...components,
      overlays: this.#overlays,
      bridges,
      gateway,
      ports: this.#ports,
      records: this.#records,
      names: this.#names,
      forwarder: new Forwarder(components),
      hostResolvConf: this.#hostResolvConf,
    });
  }

  async start(running: readonly SandboxState[]): Promise<void> {
    this.#unsubscribe = this.#components.gossip.subscribe((networkId, changes) =>
      this.#onRows(networkId, changes),
    );
    await this.#wiring.start();
    this.#firewall.hold();
    await this.#networks.start(networksIn(running));
    for (const state of running) await this.#adopt(state);
    const file = await this.#attachmentsFile.load();
    await this.#overlays.adoptAttachments(file?.attachments ?? []);
    await this.#firewall.release();
    const inUse = [...this.#sandboxes.values()].map((sandbox) => sandbox.netns);
    await removeLeftovers(
      { kernel: this.#components.kernel, networks: this.#networks, bridges: this.#bridges },
      new Set([...inUse, ...this.#overlays.netnsInUse()]),
    );
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#overlays.stop();
    for (const sandbox of this.#sandboxes.values()) sandbox.resolver?.server.stop();
    this.#ports.stop();
    this.#gate.stop();
    if (this.#overlays.identity) await this.#components.gossip.stop({ leave: false });
  }

  async joinSwarm(identity: SwarmIdentity): Promise<void> {
    await this.#components.gossip.start(identity);
    await this.#overlays.join(identity);
    for (const sandbox of this.#sandboxes.values()) {
      for (const endpoint of sandbox.endpoints.values()) this.#announce(sandbox, endpoint);
    }
  }

  async leaveSwarm(): Promise<void> {
    for (const sandbox of this.#sandboxes.values()) {
      for (const { config } of [...sandbox.endpoints.values()]) {
        if (config.network.driver === 'overlay')
          await this.disconnect(sandbox.id, config.network.id);
      }
    }
    await this.#attachmentsFile.save({ version: 1, attachments: [] });
    await this.#overlays.leave();
    await this.#components.gossip.stop({ leave: true });
    this.#lbIndexes.clear();
  }

  setPeers(peers: readonly GossipPeer[]): void {
    this.#components.gossip.setPeers(peers);
  }

  async setNodeAttachments(attachments: readonly NetworkAttachment[]): Promise<void> {
    const converted = attachments.flatMap(({ network, addresses }) => {
      const address = addresses.find((entry) => !entry.includes(':'));
      return network && address ? [{ network: networkConfigOf(network), address }] : [];
    });
    await this.#attachmentsFile.save({ version: 1, attachments: converted });
    await this.#overlays.setAttachments(converted);
  }

  async createSandbox(config: SandboxConfig): Promise<SandboxInfo> {
    const { containerId, containerName, mode } = config;
    if (this.#sandboxes.has(containerId)) {
      throw new SwarmError('SWM_CONFLICT', `container ${containerId} has a sandbox already`);
    }
    const sandbox = new Sandbox(config);
    this.#sandboxes.set(containerId, sandbox);
    try {
      if (mode === 'container') {
        const owner = `container ${containerName} (${containerId.slice(0, 12)})`;
        sandbox.ports = this.#ports.reserve(containerId, owner, config.ports);
      }
      await this.#wiring.create(sandbox);
    } catch (error) {
      this.#sandboxes.delete(containerId);
      await this.#ports.release(containerId);
      throw error;
    }
    return this.#stateOf(sandbox).info;
  }

  async connect(containerId: string, config: EndpointConfig): Promise<EndpointInfo> {
    const sandbox = this.#require(containerId);
    const endpoint = await this.#wiring.connect(sandbox, ipv4Only(config));
    this.#names.invalidate(config.network.id);
    this.#announce(sandbox, endpoint);
    return sandbox.endpointInfo(endpoint);
  }

  async disconnect(containerId: string, networkId: string): Promise<void> {
    const sandbox = this.#require(containerId);
    const endpoint = sandbox.endpoints.get(networkId);
    if (!endpoint) {
      throw new SwarmError(
        'SWM_NOT_FOUND',
        `container ${containerId} is not connected to network ${networkId}`,
      );
    }
    await this.#wiring.disconnect(sandbox, endpoint);
  }

  sandbox(containerId: string): SandboxState | undefined {
    const sandbox = this.#sandboxes.get(containerId);
    return sandbox && this.#stateOf(sandbox);
  }

  async removeSandbox(containerId: string): Promise<void> {
    const sandbox = this.#sandboxes.get(containerId);
    if (!sandbox) return;
    this.#sandboxes.delete(containerId);
    await this.#wiring.remove(sandbox);
  }

  async enableService(containerId: string): Promise<void> {
    const sandbox = this.#require(containerId);
    sandbox.serviceEnabled = true;
    sandbox.serviceAnnounced = true;
    for (const endpoint of sandbox.endpoints.values()) this.#announce(sandbox, endpoint);
  }

  async disableService(containerId: string): Promise<void> {
    const sandbox = this.#require(containerId);
    if (!sandbox.serviceEnabled) return;
    sandbox.serviceEnabled = false;
    let nodes = 0;
    for (const endpoint of sandbox.endpoints.values()) {
      if (!endpoint.config.service) continue;
      this.#announce(sandbox, endpoint);
      const { id } = endpoint.config.network;
      nodes = Math.max(nodes, this.#components.gossip.attendance(id).length);
    }
    const wait = spreadTime(nodes);
    if (wait > 0) await sleep(this.#components.clock, wait);
  }

  createLocalNetwork(
    spec: Parameters<NetDriverApi['createLocalNetwork']>[0],
  ): Promise<LocalNetwork> {
    return this.#networks.create(spec);
  }

  async removeLocalNetwork(id: string): Promise<void> {
    const network = this.#networks.get(id);
    if (!network) throw new SwarmError('SWM_NOT_FOUND', `network ${id} not found`);
    if (network.predefined) {
      throw new SwarmError(
        'SWM_PERMISSION_DENIED',
        `${network.name} is a pre-defined network and cannot be removed`,
      );
    }
    const active = this.#bridges.endpoints(id);
    if (active.length > 0) {
      const list = active.map(({ name, endpointId }) => {
        return `name:"${name}" id:"${endpointId.slice(0, 12)}"`;
      });
      throw new SwarmError(
        'SWM_PERMISSION_DENIED',
        `network ${network.name} has active endpoints (${list.join(', ')})`,
      );
    }
    await this.#networks.remove(id);
  }

  localNetworks(): readonly LocalNetwork[] {
    return this.#networks.list();
  }

  overlays(): readonly NetworkConfig[] {
    return this.#overlays.list().map((overlay) => overlay.network);
  }

  inspect(networkId: string): NetworkView | undefined {
    const local = this.#networks.get(networkId);
    if (local) return localView(local, this.#sandboxes.values());
    const overlay = this.#overlays.get(networkId);
    if (!overlay) return undefined;
    const peers = this.#components.gossip.attendance(networkId);
    const hosts = this.#records.peers(networkId).map(({ key, vtep }) => [key, vtep] as const);
    return overlayView(overlay, this.#sandboxes.values(), {
      peers: peers.map(({ nodeId, ip }) => ({ name: nodeId.slice(0, 12), ip })),
      rows: this.#records.endpoints(networkId),
      hosts: new Map(hosts),
      lbIndex: (serviceId) => this.#lbIndex(`${networkId} ${serviceId}`),
    });
  }

  members(): readonly { nodeId: string; alive: boolean }[] {
    return this.#components.gossip.members();
  }

  onMembers(listener: (nodeId: string, alive: boolean) => void): () => void {
    return this.#components.gossip.onMembers(listener);
  }

  #onRows(networkId: string, changes: readonly GossipChange[]): void {
    const endpointsChanged = changes.some((change) => change.table === 'endpoints');
    if (endpointsChanged) this.#names.invalidate(networkId);
    this.#overlays.refresh(networkId);
    if (!endpointsChanged || networkId !== this.#ingressId()) return;
    this.#syncClientRoutes(networkId).catch((error) => {
      const text = errorMessage(error);
      this.#components.logger.error({ error: text }, 'cannot lead answers back to ingress nodes');
    });
  }

  async #syncClientRoutes(ingressId: string): Promise<void> {
    if (!this.#overlays.get(ingressId)?.settled) return;
    const addresses = this.#wiring.ingressEndpoints(ingressId);
    for (const sandbox of this.#sandboxes.values()) {
      const endpoint = sandbox.endpoints.get(ingressId);
      if (endpoint) await this.#wiring.syncClientRoutes(sandbox, endpoint, addresses);
    }
  }

  /** Tells the other nodes. A task is nobody's business until its service sends it traffic. */
  #announce(sandbox: Sandbox, endpoint: SandboxEndpoint): void {
    const { network, endpointId, service } = endpoint.config;
    if (network.driver !== 'overlay' || !this.#overlays.identity) return;
    if (service && !sandbox.serviceAnnounced) return;
    const value = EndpointRecord.encode(endpointRecordOf(sandbox, endpoint)).finish();
    this.#components.gossip.put(network.id, 'endpoints', endpointId, value);
  }

  async #adopt(state: SandboxState): Promise<void> {
    const sandbox = new Sandbox(state.config);
    const { containerId, containerName } = state.config;
    sandbox.serviceEnabled = state.serviceEnabled;
    sandbox.serviceAnnounced = state.serviceEnabled;
    this.#sandboxes.set(containerId, sandbox);
    try {
      const owner = `container ${containerName} (${containerId.slice(0, 12)})`;
      sandbox.ports = this.#ports.reserve(containerId, owner, state.info.ports);
      await this.#wiring.adopt(sandbox, endpointsOf(state));
    } catch (error) {
      this.#components.logger.error(
        { containerId, error: errorMessage(error) },
        'cannot take over the network of a running container',
      );
    }
  }

  #stateOf(sandbox: Sandbox): SandboxState {
    const path = this.#components.kernel.netnsPath(sandbox.netns);
    const isOnHost = sandbox.config.mode === 'host';
    const host = isOnHost ? this.#hostResolvConf.read() : this.#hostResolvConf.readForContainers();
    return sandbox.state(host, path);
  }

  #require(containerId: string): Sandbox {
    const sandbox = this.#sandboxes.get(containerId);
    if (sandbox) return sandbox;
    throw new SwarmError('SWM_NOT_FOUND', `container ${containerId} has no network sandbox`);
  }

  #ingressId(): string | undefined {
    return this.#overlays.list().find(({ network }) => network.ingress)?.network.id;
  }

  #lbIndex(key: string): number {
    const known = this.#lbIndexes.get(key) ?? FIRST_LB_INDEX + this.#lbIndexes.size;
    this.#lbIndexes.set(key, known);
    return known;
  }
}

function networksIn(running: readonly SandboxState[]): Set<string> {
  return new Set(running.flatMap(({ endpoints }) => endpoints.map(({ network }) => network.id)));
}

/** The endpoints of an earlier life, as it wired them. */
function endpointsOf(state: SandboxState): SandboxEndpoint[] {
  return state.endpoints.flatMap((config) => {
    const info = state.info.endpoints.find((entry) => entry.endpointId === config.endpointId);
    if (!info) return [];
    const { ifname, macAddress: mac, gateway } = info;
    return [{ config, ifname, mac, gateway, address: info.addresses[0] ?? '' }];
  });
}
