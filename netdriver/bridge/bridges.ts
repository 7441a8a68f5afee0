import { SwarmError } from '../../common/errors.ts';
import { contains, ipOf, macOf, prefixOf } from '../ipv4.ts';
import { HOST, isKernelError, type Kernel, type LinkOp, type Netns } from '../kernel/types.ts';
import { KeyedLock } from '../keyed-lock.ts';
import { hostVeth } from '../names.ts';
import type { NetworkConfig } from '../types.ts';
import { undoing } from '../undo.ts';
import type { HostFirewall } from './host-firewall.ts';
import { deviceOf } from './local-networks.ts';
import { nextFreeAddress } from './pools.ts';

const MTU_OPTION = 'com.docker.network.driver.mtu';
const ICC_OPTION = 'com.docker.network.bridge.enable_icc';
const MASQUERADE_OPTION = 'com.docker.network.bridge.enable_ip_masquerade';
const DEFAULT_MTU = 1500;

export interface BridgeEndpointRequest {
  readonly endpointId: string;
  /** Who it is, for messages. */
  readonly name: string;
  /** An address of the subnet, or '' for the next free one. */
  readonly address: string;
  readonly mac: string;
  readonly netns: Netns;
  readonly ifname: string;
  /** Every other endpoint may talk to it, also where endpoints may not talk to each other. */
  readonly open?: boolean;
}

export interface BridgeEndpoint {
  /** CIDR. */
  readonly address: string;
  readonly mac: string;
  /** '' on an internal network. */
  readonly gateway: string;
}

/**
 * The bridges that exist on the host now, and the endpoints on them. A bridge comes with its first
 * endpoint and goes with its last.
 */
export class Bridges {
  readonly #kernel: Kernel;
  readonly #firewall: HostFirewall;
  readonly #lock = new KeyedLock();
  /** Network id to endpoint id to address and name. */
  readonly #endpoints = new Map<string, Map<string, { ip: string; name: string }>>();

  constructor(components: { kernel: Kernel; firewall: HostFirewall }) {
    this.#kernel = components.kernel;
    this.#firewall = components.firewall;
  }

  endpoints(networkId: string): readonly { endpointId: string; name: string }[] {
    const endpoints = this.#endpoints.get(networkId) ?? new Map();
    return [...endpoints].map(([endpointId, { name }]) => ({ endpointId, name }));
  }

  attach(network: NetworkConfig, request: BridgeEndpointRequest): Promise<BridgeEndpoint> {
    return this.#lock.run(network.id, () =>
      undoing(async (undo) => {
        const ip = await this.#reserve(network, request);
        undo.push(() => this.#release(network, request.endpointId));
        const endpoint = endpointOf(network, ip, request.mac);
        const device = deviceOf(network);
        await this.#kernel.apply(HOST, [
          {
            op: 'add-veth',
            name: hostVeth(request.endpointId),
            master: device,
            mtu: mtuOf(network),
            isolated: network.options[ICC_OPTION] === 'false' && !request.open,
            peer: { name: request.ifname, netns: request.netns, mac: endpoint.mac },
          },
        ]);
        undo.push(() => this.#removeVeth(request.endpointId));
        await this.#kernel.apply(request.netns, [
          { op: 'add-address', dev: request.ifname, address: endpoint.address },
          { op: 'set-link', name: request.ifname, up: true },
        ]);
        return endpoint;
      }),
    );
  }

  /** Takes over an endpoint of an earlier life, whose devices are there already. */
  adopt(
    network: NetworkConfig,
    endpoint: { endpointId: string; name: string; ip: string },
  ): Promise<void> {
    return this.#lock.run(network.id, async () => {
      const isFirst = this.#add(network.id, endpoint.endpointId, endpoint);
      if (isFirst) await this.#configure(network);
    });
  }

  async detach(network: NetworkConfig, endpointId: string): Promise<void> {
    await this.#removeVeth(endpointId);
    await this.#lock.run(network.id, () => this.#release(network, endpointId));
  }

  async #reserve(network: NetworkConfig, request: BridgeEndpointRequest): Promise<string> {
    const ip = this.#choose(network, request.address);
    const isFirst = this.#add(network.id, request.endpointId, { ip, name: request.name });
    if (!isFirst) return ip;
    try {
      await this.#createDevice(network);
      await this.#configure(network);
      return ip;
    } catch (error) {
      await this.#release(network, request.endpointId);
      throw error;
    }
  }

  #choose(network: NetworkConfig, wanted: string): string {
    const used = new Set([...(this.#endpoints.get(network.id)?.values() ?? [])].map((e) => e.ip));
    for (const { gateway } of network.subnets) used.add(ipOf(gateway));
    if (wanted) {
      const ip = ipOf(wanted);
      if (!network.subnets.some(({ subnet }) => contains(subnet, ip))) {
        throw new SwarmError(
          'SWM_INVALID_ARGUMENT',
          `no configured subnet or ip-range contain the IP address ${ip}`,
        );
      }
      if (used.has(ip)) throw new SwarmError('SWM_CONFLICT', `Address already in use: ${ip}`);
      return ip;
    }
    for (const { subnet, range } of network.subnets) {
      const ip = nextFreeAddress(subnet, used, range);
      if (ip) return ip;
    }
    throw new SwarmError(
      'SWM_RESOURCE_EXHAUSTED',
      `no available IPv4 addresses on network ${network.name}`,
      { hint: `All ${used.size} addresses are taken; use a larger subnet.` },
    );
  }

  #add(networkId: string, endpointId: string, endpoint: { ip: string; name: string }): boolean {
    const endpoints = this.#endpoints.get(networkId) ?? new Map();
    endpoints.set(endpointId, endpoint);
    this.#endpoints.set(networkId, endpoints);
    return endpoints.size === 1;
  }

  async #release(network: NetworkConfig, endpointId: string): Promise<void> {
    const endpoints = this.#endpoints.get(network.id);
    if (!endpoints?.delete(endpointId) || endpoints.size > 0) return;
    this.#endpoints.delete(network.id);
    await this.#kernel.deleteLinks(HOST, [deviceOf(network)]);
    await this.#firewall.removeBridge(deviceOf(network));
  }

  #removeVeth(endpointId: string): Promise<void> {
    return this.#kernel.deleteLinks(HOST, [hostVeth(endpointId)]);
  }

  async #createDevice(network: NetworkConfig): Promise<void> {
    const device = deviceOf(network);
    const gateways = network.subnets.map(
      ({ subnet, gateway }) => `${ipOf(gateway)}/${prefixOf(subnet)}`,
    );
    const ops: LinkOp[] = [
      { op: 'add-bridge', name: device, mac: macOf(ipOf(gateways[0] ?? '0.0.0.0')) },
      { op: 'set-link', name: device, mtu: mtuOf(network) },
      ...gateways.map((address): LinkOp => ({ op: 'add-address', dev: device, address })),
    ];
    try {
      await this.#kernel.apply(HOST, ops);
    } catch (error) {
      if (!isKernelError(error, 'EEXIST')) throw error;
      // A device that an earlier life left behind, with nobody on it.
      await this.#kernel.deleteLinks(HOST, [device]);
      await this.#kernel.apply(HOST, ops);
    }
  }

  #configure(network: NetworkConfig): Promise<void> {
    const device = deviceOf(network);
    this.#kernel.setSysctls(HOST, {
      [`net/ipv4/conf/${device}/route_localnet`]: '1',
      [`net/ipv6/conf/${device}/disable_ipv6`]: '1',
    });
    return this.#firewall.addBridge({
      device,
      subnet: network.subnets[0]?.subnet ?? '',
      internal: network.internal,
      masquerade: network.options[MASQUERADE_OPTION] !== 'false',
    });
  }
}

function endpointOf(network: NetworkConfig, ip: string, mac: string): BridgeEndpoint {
  const subnet = network.subnets.find((s) => contains(s.subnet, ip));
  return {
    address: `${ip}/${prefixOf(subnet?.subnet ?? '')}`,
    mac: mac || macOf(ip),
    gateway: network.internal ? '' : ipOf(subnet?.gateway ?? ''),
  };
}

function mtuOf(network: NetworkConfig): number {
  return Number(network.options[MTU_OPTION]) || DEFAULT_MTU;
}
