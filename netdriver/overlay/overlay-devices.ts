import { SwarmError } from '../../common/errors.ts';
import { HOST, isKernelError, type Kernel, type Netns } from '../kernel/types.ts';
import { isOurNetns, overlayNetns } from '../names.ts';
import type { NetworkConfig } from '../types.ts';
import { NO_PEERS, type PeerState, peerOps, peerStateOf, unionOf } from './peers.ts';
import {
  attachOps,
  bridgeOps,
  configureOps,
  deviceNames,
  joinBridgeOps,
  vxlanOps,
} from './plan.ts';

/** Settings of every overlay namespace; neighbour limits exist only where the kernel has them. */
const SYSCTLS = {
  'net.ipv4.ip_forward': '1',
  'net.ipv6.conf.all.disable_ipv6': '1',
  'net.ipv6.conf.default.disable_ipv6': '1',
  'net.bridge.bridge-nf-call-iptables': '0',
  'net.bridge.bridge-nf-call-arptables': '0',
} as const;

const NEIGHBOUR_LIMITS = {
  'net.ipv4.neigh.default.gc_thresh1': 8192,
  'net.ipv4.neigh.default.gc_thresh2': 49152,
  'net.ipv4.neigh.default.gc_thresh3': 65536,
} as const;

/** The kernel's side of one overlay network on this node: a namespace of bridges and VXLANs. */
export class OverlayDevices {
  readonly #kernel: Kernel;
  readonly #network: NetworkConfig;
  readonly netns: Netns;
  #peers: PeerState = NO_PEERS;

  constructor(components: { kernel: Kernel }, init: { network: NetworkConfig }) {
    this.#kernel = components.kernel;
    this.#network = init.network;
    this.netns = overlayNetns(init.network.id);
  }

  /** Makes everything anew; what an earlier life left under the same names goes first. */
  async create(port: number): Promise<void> {
    await this.remove();
    await this.#kernel.createNetns(this.netns);
    try {
      this.#kernel.setSysctls(this.netns, SYSCTLS);
      raiseNeighbourLimits(this.#kernel);
      await this.#kernel.apply(this.netns, bridgeOps(this.#network));
      await this.#createVxlans(port);
      await this.#kernel.apply(this.netns, joinBridgeOps(this.#network));
    } catch (error) {
      await this.remove();
      throw error;
    }
  }

  /** Takes over the devices of an earlier life with the peers they know; false if not all are there. */
  adopt(): boolean {
    if (!this.#kernel.netnsNames().includes(this.netns)) return false;
    const vnis = new Set(this.#kernel.links(this.netns).map((link) => link.vni));
    if (!this.#network.subnets.every((subnet) => vnis.has(subnet.vni))) return false;
    this.#peers = unionOf(
      this.#network.subnets.map((_, index) => {
        const { vxlan } = deviceNames(index);
        return peerStateOf(vxlan, this.#kernel.peerEntries(this.netns, vxlan));
      }),
    );
    return true;
  }

  /**
   * VXLAN devices are deleted by name: the kernel clears a namespace some time after its name is
   * gone, and would keep the VNI until then.
   */
  async remove(): Promise<void> {
    const vxlans = this.#network.subnets.map((_, index) => deviceNames(index).vxlan);
    await this.#kernel.deleteLinks(this.netns, vxlans);
    this.#kernel.removeNetns(this.netns);
    this.#peers = NO_PEERS;
  }

  async attach(
    endpoint: { address: string; mac: string },
    target: { netns: Netns; ifname: string },
  ): Promise<void> {
    await this.#kernel.apply(this.netns, attachOps(this.#network, endpoint, target));
    await this.#kernel.apply(target.netns, configureOps(this.#network, endpoint, target.ifname));
  }

  get peers(): PeerState {
    return this.#peers;
  }

  async setPeers(next: PeerState): Promise<void> {
    const ops = peerOps(this.#peers, next);
    const removals = ops.filter((op) => op.op.startsWith('del-'));
    await this.#kernel.tryApply(this.netns, removals);
    await this.#kernel.apply(this.netns, ops.slice(removals.length));
    this.#peers = next;
  }

  /** A VNI exists once per host; a device of a namespace that was left behind may hold it. */
  async #createVxlans(port: number): Promise<void> {
    const ops = vxlanOps(this.#network, this.netns, port);
    try {
      await this.#kernel.apply(HOST, ops);
    } catch (error) {
      if (!isKernelError(error, 'EEXIST')) throw error;
      await this.#removeStaleVxlans();
      await this.#kernel.deleteLinks(
        this.netns,
        ops.map(({ name }) => name),
      );
      await this.#kernel.apply(HOST, ops).catch((error) => {
        if (!isKernelError(error, 'EEXIST')) throw error;
        throw new SwarmError(
          'SWM_CONFLICT',
          `cannot create the overlay ${this.#network.name}: ${error.message}`,
          { cause: error, hint: 'Is there another swarm, such as Docker’s, on this host?' },
        );
      });
    }
  }

  async #removeStaleVxlans(): Promise<void> {
    const wanted = new Set(this.#network.subnets.map((subnet) => subnet.vni));
    const others = this.#kernel
      .netnsNames()
      .filter((name) => isOurNetns(name) && name !== this.netns);
    for (const netns of [HOST, ...others]) {
      const stale = this.#linksOf(netns).filter((link) => link.vni && wanted.has(link.vni));
      await this.#kernel.deleteLinks(
        netns,
        stale.map((link) => link.name),
      );
    }
  }

  #linksOf(netns: Netns) {
    try {
      return this.#kernel.links(netns);
    } catch {
      return []; // A name without a namespace behind it.
    }
  }
}

/** Raised only: the administrator may have chosen more. */
function raiseNeighbourLimits(kernel: Kernel): void {
  for (const [key, wanted] of Object.entries(NEIGHBOUR_LIMITS)) {
    const present = kernel.sysctl(HOST, key);
    if (present !== undefined && Number(present) < wanted) {
      kernel.setSysctls(HOST, { [key]: String(wanted) });
    }
  }
}
