import { sleep } from '../common/clock.ts';
import { errorMessage, isSwarmError, SwarmError } from '../common/errors.ts';
import type { GossipPeer } from '../proto/gen/swarm/dispatcher.ts';
import { EndpointRecord } from '../proto/gen/swarm/gossip.ts';
import type { NetworkAttachment } from '../proto/gen/swarm/objects.ts';
import {
  type AttachmentsFile,
  compose,
  type NetDriverComponents,
  type NetDriverInit,
  type Parts,
} from './compose.ts';
import type { GossipChange } from './gossip/types.ts';
import { localView, overlayView } from './inspect.ts';
import { removeLeftovers } from './leftovers.ts';
import { ipv4Only, networkConfigOf } from './network-config.ts';
import type { OverlayAttachment } from './overlay/overlays.ts';
import { endpointRecordOf } from './sandbox/endpoint-records.ts';
import { Sandbox, type SandboxEndpoint } from './sandbox/sandbox.ts';
import { spreadTime } from './spread-time.ts';
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

const FIRST_LB_INDEX = 256;

/** The data plane of one node. */
export class NetDriver implements NetDriverApi {
  readonly #components: NetDriverComponents;
  readonly #parts: Parts;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #lbIndexes = new Map<string, number>();
  #savedAttachments = '';
  #unsubscribe: () => void = () => {};

  constructor(components: NetDriverComponents, init: NetDriverInit) {
    this.#components = components;
    this.#parts = compose(components, init, this.#sandboxes);
  }

  async start(running: readonly SandboxState[]): Promise<void> {
    this.#unsubscribe = this.#components.gossip.subscribe((networkId, changes) =>
      this.#onRows(networkId, changes),
    );
    await this.#parts.wiring.start();
    this.#parts.firewall.hold();
    await this.#parts.networks.start(networksIn(running));
    for (const state of running) await this.#adopt(state);
    const file = await this.#loadAttachments();
    if (file) this.#savedAttachments = JSON.stringify(file.attachments);
    await this.#parts.overlays.adoptAttachments(file?.attachments ?? []);
    await this.#parts.firewall.release();
    const inUse = [...this.#sandboxes.values()].map((sandbox) => sandbox.netns);
    await removeLeftovers(
      { kernel: this.#components.kernel, ...this.#parts },
      new Set([...inUse, ...this.#parts.overlays.netnsInUse()]),
    );
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#parts.overlays.stop();
    for (const sandbox of this.#sandboxes.values()) sandbox.resolver?.server.stop();
    this.#parts.ports.stop();
    this.#parts.gate.stop();
    if (this.#parts.overlays.identity) await this.#components.gossip.stop({ leave: false });
  }

  async joinSwarm(identity: SwarmIdentity): Promise<void> {
    // From an earlier start of this membership: what is attached here stays attached.
    await this.#components.gossip.stop({ leave: false });
    await this.#components.gossip.start(identity);
    await this.#parts.overlays.join(identity);
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
    await this.#saveAttachments([]);
    await this.#parts.overlays.leave();
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
    await this.#saveAttachments(converted);
    await this.#parts.overlays.setAttachments(converted);
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
        sandbox.ports = this.#parts.ports.reserve(containerId, owner, config.ports);
      }
      await this.#parts.wiring.create(sandbox);
    } catch (error) {
      this.#sandboxes.delete(containerId);
      await this.#parts.ports.release(containerId);
      throw error;
    }
    return this.#stateOf(sandbox).info;
  }

  async connect(containerId: string, config: EndpointConfig): Promise<EndpointInfo> {
    const sandbox = this.#require(containerId);
    const endpoint = await this.#parts.wiring.connect(sandbox, ipv4Only(config));
    this.#parts.names.invalidate(config.network.id);
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
    await this.#parts.wiring.disconnect(sandbox, endpoint);
  }

  sandbox(containerId: string): SandboxState | undefined {
    const sandbox = this.#sandboxes.get(containerId);
    return sandbox && this.#stateOf(sandbox);
  }

  async removeSandbox(containerId: string): Promise<void> {
    const sandbox = this.#sandboxes.get(containerId);
    if (!sandbox) return;
    this.#sandboxes.delete(containerId);
    await this.#parts.wiring.remove(sandbox);
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
    return this.#parts.networks.create(spec);
  }

  async removeLocalNetwork(id: string): Promise<void> {
    const network = this.#parts.networks.get(id);
    if (!network) throw new SwarmError('SWM_NOT_FOUND', `network ${id} not found`);
    if (network.predefined) {
      throw new SwarmError(
        'SWM_PERMISSION_DENIED',
        `${network.name} is a pre-defined network and cannot be removed`,
      );
    }
    const active = this.#parts.bridges.endpoints(id);
    if (active.length > 0) {
      const list = active.map(({ name, endpointId }) => {
        return `name:"${name}" id:"${endpointId.slice(0, 12)}"`;
      });
      throw new SwarmError(
        'SWM_PERMISSION_DENIED',
        `network ${network.name} has active endpoints (${list.join(', ')})`,
      );
    }
    await this.#parts.networks.remove(id);
  }

  localNetworks(): readonly LocalNetwork[] {
    return this.#parts.networks.list();
  }

  overlays(): readonly NetworkConfig[] {
    return this.#parts.overlays.list().map((overlay) => overlay.network);
  }

  inspect(networkId: string): NetworkView | undefined {
    const local = this.#parts.networks.get(networkId);
    if (local) return localView(local, this.#sandboxes.values());
    const overlay = this.#parts.overlays.get(networkId);
    if (!overlay) return undefined;
    const peers = this.#components.gossip.attendance(networkId);
    const hosts = this.#parts.records.peers(networkId).map(({ key, vtep }) => [key, vtep] as const);
    return overlayView(overlay, this.#sandboxes.values(), {
      peers: peers.map(({ nodeId, ip }) => ({ name: nodeId.slice(0, 12), ip })),
      rows: this.#parts.records.endpoints(networkId),
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

  /** They come with every session; a file is only written when they are news. */
  /** The managers have them too: without the file the balancers wait for them. */
  async #loadAttachments(): Promise<AttachmentsFile | undefined> {
    try {
      return await this.#parts.attachmentsFile.load();
    } catch (error) {
      if (!isSwarmError(error, 'SWM_DAMAGED')) throw error;
      this.#components.logger.warn({ err: errorMessage(error) }, 'the managers are asked anew');
      return undefined;
    }
  }

  async #saveAttachments(attachments: readonly OverlayAttachment[]): Promise<void> {
    const text = JSON.stringify(attachments);
    if (text === this.#savedAttachments) return;
    await this.#parts.attachmentsFile.save({ version: 1, attachments });
    this.#savedAttachments = text;
  }

  #onRows(networkId: string, changes: readonly GossipChange[]): void {
    const endpointsChanged = changes.some((change) => change.table === 'endpoints');
    if (endpointsChanged) this.#parts.names.invalidate(networkId);
    this.#parts.overlays.refresh(networkId);
    if (!endpointsChanged || networkId !== this.#parts.overlays.ingress?.network.id) return;
    this.#syncClientRoutes(networkId);
  }

  #syncClientRoutes(ingressId: string): void {
    const { overlays, wiring } = this.#parts;
    if (!overlays.get(ingressId)?.settled) return;
    const addresses = wiring.ingressEndpoints(ingressId);
    for (const sandbox of this.#sandboxes.values()) {
      const endpoint = sandbox.endpoints.get(ingressId);
      if (!endpoint) continue;
      wiring.syncClientRoutes(sandbox, endpoint, addresses).catch((error) => {
        if (!sandbox.endpoints.has(ingressId)) return; // It went meanwhile.
        const { logger } = this.#components;
        const text = errorMessage(error);
        logger.error({ container: sandbox.id, error: text }, 'cannot lead answers to their nodes');
      });
    }
  }

  /** Tells the other nodes. A task is nobody's business until its service sends it traffic. */
  #announce(sandbox: Sandbox, endpoint: SandboxEndpoint): void {
    const { network, endpointId, service } = endpoint.config;
    if (network.driver !== 'overlay' || !this.#parts.overlays.identity) return;
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
      sandbox.ports = this.#parts.ports.reserve(containerId, owner, state.info.ports);
      await this.#parts.wiring.adopt(sandbox, endpointsOf(state));
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
    const host = isOnHost
      ? this.#parts.hostResolvConf.read()
      : this.#parts.hostResolvConf.readForContainers();
    return sandbox.state(host, path);
  }

  #require(containerId: string): Sandbox {
    const sandbox = this.#sandboxes.get(containerId);
    if (sandbox) return sandbox;
    throw new SwarmError('SWM_NOT_FOUND', `container ${containerId} has no network sandbox`);
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
