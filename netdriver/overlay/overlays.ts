import { createHash } from 'node:crypto';
import { errorMessage, SwarmError } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import { EndpointRecord } from '../../proto/gen/swarm/gossip.ts';
import { LoadBalancer } from '../balancer/load-balancer.ts';
import type { BalancerEngineFactory } from '../balancer/types.ts';
import { Coalescer } from '../coalescer.ts';
import type { GossipApi } from '../gossip/types.ts';
import type { IngressGate } from '../ingress/ingress-gate.ts';
import { ipOf, isIp, macOf } from '../ipv4.ts';
import type { Kernel, Netns } from '../kernel/types.ts';
import { KeyedLock } from '../keyed-lock.ts';
import { balancerEndpoint, balancerNetns, INGRESS_ENDPOINT, INGRESS_NETNS } from '../names.ts';
import type { Records } from '../records.ts';
import type { NetworkConfig, SwarmIdentity } from '../types.ts';
import { undoing } from '../undo.ts';
import { type LocalEndpoint, Overlay } from './overlay.ts';
import { OverlayDevices } from './overlay-devices.ts';
import { subnetIndexOf } from './plan.ts';

const DEFAULT_VXLAN_PORT = 4789;
const BALANCER_DEVICE = 'eth0';

/** This node's balancer address on an overlay, as the manager allocated it. */
export interface OverlayAttachment {
  readonly network: NetworkConfig;
  /** CIDR. */
  readonly address: string;
}

interface Components {
  readonly kernel: Kernel;
  readonly gossip: GossipApi;
  readonly records: Records;
  readonly engine: BalancerEngineFactory;
  readonly gate: IngressGate;
  readonly logger: Logger;
}

/**
 * The overlays of this node. A network is present while a container is attached to it; the ingress
 * network while the node has an attachment. Everything for one network happens in turn.
 */
export class Overlays {
  readonly #components: Components;
  readonly #lock = new KeyedLock();
  readonly #present = new Map<string, Overlay>();
  readonly #refreshers = new Map<string, Coalescer>();
  #attachments = new Map<string, OverlayAttachment>();
  #identity: SwarmIdentity | undefined;

  constructor(components: Components) {
    this.#components = components;
  }

  get identity(): SwarmIdentity | undefined {
    return this.#identity;
  }

  get(networkId: string): Overlay | undefined {
    return this.#present.get(networkId);
  }

  list(): readonly Overlay[] {
    return [...this.#present.values()];
  }

  get ingress(): Overlay | undefined {
    return this.list().find(({ network }) => network.ingress);
  }

  /** Namespaces that must outlive a clean-up. */
  netnsInUse(): Netns[] {
    return this.list().flatMap((overlay) => [
      overlay.devices.netns,
      ...(overlay.balancer ? [overlay.balancer.sandbox.netns] : []),
    ]);
  }

  /** Resolves when no refresh runs; there must be no more rows to come. */
  async stop(): Promise<void> {
    await Promise.all([...this.#refreshers.values()].map((refresher) => refresher.idle()));
  }

  async join(identity: SwarmIdentity): Promise<void> {
    this.#identity = identity;
    for (const overlay of this.list()) this.#announce(overlay, identity);
    try {
      await this.#applyAttachments();
    } catch (error) {
      // Attachments of an earlier life: the manager's answer will tell the current ones.
      const text = errorMessage(error);
      this.#components.logger.error({ error: text }, 'cannot set up the networks of this node');
    }
  }

  /** Removes every overlay; containers must have been disconnected. */
  async leave(): Promise<void> {
    this.#attachments = new Map();
    await this.#applyAttachments();
    this.#identity = undefined;
  }

  async setAttachments(attachments: readonly OverlayAttachment[]): Promise<void> {
    this.#attachments = new Map(attachments.map((entry) => [entry.network.id, entry]));
    if (this.#identity) await this.#applyAttachments();
  }

  attach(
    network: NetworkConfig,
    endpoint: LocalEndpoint,
    target: { netns: Netns; ifname: string },
  ): Promise<void> {
    this.#check(network, endpoint);
    return this.#lock.run(network.id, () =>
      undoing(async (undo) => {
        undo.push(() => this.#removeIfUnused(network.id));
        const overlay = await this.#ensure(network);
        undo.push(() => overlay.delete(endpoint.id));
        await overlay.devices.attach(endpoint, target);
        overlay.add(endpoint);
        await this.#syncAttachment(network.id);
      }),
    );
  }

  /** The devices in the container are the caller's to remove. */
  detach(networkId: string, endpointId: string): Promise<void> {
    return this.#lock.run(networkId, async () => {
      this.#present.get(networkId)?.delete(endpointId);
      await this.#removeIfUnused(networkId);
    });
  }

  /** Takes over an endpoint that is wired already; false when its network's devices are gone. */
  adopt(network: NetworkConfig, endpoint: LocalEndpoint): Promise<boolean> {
    return this.#lock.run(network.id, () => {
      const overlay = this.#present.get(network.id) ?? this.#adoptOverlay(network);
      overlay?.add(endpoint);
      return overlay !== undefined;
    });
  }

  /** Takes over balancers, and the ingress network, by the attachments of an earlier life. */
  async adoptAttachments(attachments: readonly OverlayAttachment[]): Promise<void> {
    this.#attachments = new Map(attachments.map((entry) => [entry.network.id, entry]));
    for (const attachment of attachments) {
      const { network, address } = attachment;
      if (network.ingress && !this.#present.has(network.id)) this.#adoptOverlay(network);
      const overlay = this.#present.get(network.id);
      if (!overlay) continue;
      const sandbox = this.#newBalancer(network);
      if (!sandbox.adopt(address)) continue;
      if (network.ingress && !(await this.#components.gate.adopt(sandbox.netns))) {
        sandbox.remove();
        continue;
      }
      const endpoint = this.#balancerEndpoint(attachment);
      overlay.balancer = { sandbox, endpoint };
      overlay.add(endpoint);
    }
  }

  /** After rows of a network changed. Failures are logged: the next change tries again. */
  refresh(networkId: string): void {
    let refresher = this.#refreshers.get(networkId);
    if (!refresher) {
      refresher = new Coalescer(() => this.#lock.run(networkId, () => this.#sync(networkId)));
      this.#refreshers.set(networkId, refresher);
    }
    refresher.run().catch((error) => {
      this.#components.logger.error(
        { networkId, error: errorMessage(error) },
        'cannot bring the network up to date',
      );
    });
  }

  async #sync(networkId: string): Promise<void> {
    const overlay = this.#present.get(networkId);
    if (!overlay) {
      this.#refreshers.delete(networkId);
      return;
    }
    await overlay.syncPeers();
    await overlay.syncBalancer();
    if (overlay.network.ingress && overlay.plan) {
      await this.#components.gate.publish(overlay.plan.ports);
    }
  }

  #check(network: NetworkConfig, endpoint: LocalEndpoint): void {
    if (!this.#identity) {
      throw new SwarmError(
        'SWM_FAILED_PRECONDITION',
        `network ${network.name} needs a swarm, and this node is not part of one`,
      );
    }
    if ('encrypted' in network.options) {
      throw new SwarmError(
        'SWM_NOT_IMPLEMENTED',
        `network ${network.name} is encrypted, and this node cannot encrypt overlay traffic`,
        { hint: 'Create the network without --opt encrypted.' },
      );
    }
    const ip = ipOf(endpoint.address);
    if (!isIp(ip) || subnetIndexOf(network, ip) < 0) {
      throw new SwarmError(
        'SWM_INVALID_ARGUMENT',
        `the address "${endpoint.address}" is in no subnet of network ${network.name}`,
      );
    }
  }

  async #ensure(network: NetworkConfig): Promise<Overlay> {
    const present = this.#present.get(network.id);
    if (present) return present;
    const devices = new OverlayDevices(this.#components, { network });
    await devices.create(this.#identity?.dataPathPort || DEFAULT_VXLAN_PORT);
    const overlay = new Overlay({ ...this.#components, devices }, { network, adopted: false });
    this.#present.set(network.id, overlay);
    if (this.#identity) this.#announce(overlay, this.#identity);
    return overlay;
  }

  #adoptOverlay(network: NetworkConfig): Overlay | undefined {
    const devices = new OverlayDevices(this.#components, { network });
    if (!devices.adopt()) return undefined;
    const overlay = new Overlay({ ...this.#components, devices }, { network, adopted: true });
    this.#present.set(network.id, overlay);
    return overlay;
  }

  #announce(overlay: Overlay, identity: SwarmIdentity): void {
    const settling = overlay.announce(identity);
    if (overlay.balancer) this.#announceBalancer(overlay);
    const refresh = () => this.refresh(overlay.network.id);
    settling.then(refresh, refresh);
    refresh();
  }

  async #removeIfUnused(networkId: string): Promise<void> {
    const overlay = this.#present.get(networkId);
    if (!overlay) return;
    const own = overlay.balancer?.endpoint.id;
    const isUsed = [...overlay.endpoints.keys()].some((id) => id !== own);
    const isHeld = overlay.network.ingress && this.#attachments.has(networkId);
    if (isUsed || isHeld) return;
    await this.#removeBalancer(overlay);
    overlay.silence();
    this.#present.delete(networkId);
    await overlay.devices.remove();
  }

  async #applyAttachments(): Promise<void> {
    const ingress = [...this.#attachments.values()].filter(({ network }) => network.ingress);
    const ids = new Set([...this.#present.keys(), ...ingress.map(({ network }) => network.id)]);
    for (const id of ids) {
      await this.#lock.run(id, async () => {
        const attachment = this.#attachments.get(id);
        if (attachment?.network.ingress) await this.#ensure(attachment.network);
        await this.#syncAttachment(id);
        await this.#removeIfUnused(id);
      });
    }
  }

  /** Makes the balancer of a present network the one that the attachments ask for. */
  async #syncAttachment(networkId: string): Promise<void> {
    const overlay = this.#present.get(networkId);
    if (!overlay) return;
    const attachment = this.#attachments.get(networkId);
    if (overlay.balancer?.endpoint.address === attachment?.address) return;
    await this.#removeBalancer(overlay);
    if (attachment) await this.#createBalancer(overlay, attachment);
  }

  async #createBalancer(overlay: Overlay, attachment: OverlayAttachment): Promise<void> {
    const { network } = overlay;
    const sandbox = this.#newBalancer(network);
    const endpoint = this.#balancerEndpoint(attachment);
    await undoing(async (undo) => {
      undo.push(() => sandbox.remove());
      await sandbox.create();
      await overlay.devices.attach(endpoint, { netns: sandbox.netns, ifname: BALANCER_DEVICE });
      if (network.ingress) await this.#components.gate.open(sandbox.netns);
      overlay.balancer = { sandbox, endpoint };
      overlay.add(endpoint);
    });
    this.#announceBalancer(overlay);
    await overlay.syncBalancer();
    this.refresh(network.id);
  }

  async #removeBalancer(overlay: Overlay): Promise<void> {
    const { balancer } = overlay;
    if (!balancer) return;
    overlay.balancer = undefined;
    overlay.plan = undefined;
    overlay.delete(balancer.endpoint.id);
    if (overlay.network.ingress) await this.#components.gate.close();
    balancer.sandbox.remove();
  }

  /** The balancer is an endpoint like others, without a service: its name says what it is. */
  #announceBalancer(overlay: Overlay): void {
    if (!overlay.balancer || !this.#identity) return;
    const { network } = overlay;
    const record = EndpointRecord.fromPartial({
      name: network.ingress ? INGRESS_ENDPOINT : balancerEndpoint(network.name),
      endpointIp: ipOf(overlay.balancer.endpoint.address),
    });
    const value = EndpointRecord.encode(record).finish();
    this.#components.gossip.put(network.id, 'endpoints', overlay.balancer.endpoint.id, value);
  }

  #newBalancer(network: NetworkConfig): LoadBalancer {
    const netns = network.ingress ? INGRESS_NETNS : balancerNetns(network.id);
    return new LoadBalancer(this.#components, { netns });
  }

  /** The same id after a restart, so that the row is the same row. */
  #balancerEndpoint({ network, address }: OverlayAttachment): LocalEndpoint {
    const id = createHash('sha256').update(`balancer ${network.id} ${address}`).digest('hex');
    return { id, address, mac: macOf(ipOf(address)) };
  }
}
