import { createHash } from 'node:crypto';
import { contains, ipOf } from '../ipv4.ts';
import type { Kernel, Netns } from '../kernel/types.ts';
import { GATEWAY_NETWORK } from '../names.ts';
import type { BridgeEndpoint, Bridges } from './bridges.ts';
import type { LocalNetworks } from './local-networks.ts';

interface Components {
  readonly kernel: Kernel;
  readonly bridges: Bridges;
  readonly networks: LocalNetworks;
}

/**
 * The bridge `swarm_gwbridge`, through which sandboxes on overlays reach the outside. Endpoints on
 * it belong to the sandbox, not to a network that users attach; an owner has at most one.
 */
export class Gateway {
  readonly #components: Components;

  constructor(components: Components) {
    this.#components = components;
  }

  async attach(
    owner: string,
    name: string,
    target: { netns: Netns; ifname: string; open?: boolean },
  ): Promise<BridgeEndpoint> {
    const network = await this.#components.networks.gateway();
    return this.#components.bridges.attach(network, {
      endpointId: endpointIdOf(owner),
      name: `gateway_${name}`,
      address: '',
      mac: '',
      ...target,
    });
  }

  async detach(owner: string): Promise<void> {
    const network = this.#components.networks.find(GATEWAY_NETWORK);
    if (network) await this.#components.bridges.detach(network, endpointIdOf(owner));
  }

  /** Finds the endpoint of an earlier life by its address; undefined when there is none. */
  async adopt(
    owner: string,
    name: string,
    netns: Netns,
  ): Promise<{ ifname: string; ip: string; gateway: string } | undefined> {
    const network = this.#components.networks.find(GATEWAY_NETWORK);
    const [subnet] = network?.subnets ?? [];
    if (!network || !subnet) return undefined;
    const found = this.#components.kernel
      .addresses(netns)
      .find(({ address }) => contains(subnet.subnet, ipOf(address)));
    if (!found) return undefined;
    const ip = ipOf(found.address);
    await this.#components.bridges.adopt(network, {
      endpointId: endpointIdOf(owner),
      name: `gateway_${name}`,
      ip,
    });
    return { ifname: found.dev, ip, gateway: ipOf(subnet.gateway) };
  }
}

/** The same after a restart: the host's device is named after it. */
function endpointIdOf(owner: string): string {
  return createHash('sha256').update(`gateway ${owner}`).digest('hex');
}
