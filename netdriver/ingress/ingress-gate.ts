import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { PublishedPort } from '../balancer/types.ts';
import type { Gateway } from '../bridge/gateway.ts';
import type { HostFirewall } from '../bridge/host-firewall.ts';
import { ipOf } from '../ipv4.ts';
import {
  HOST,
  type Kernel,
  type L4Protocol,
  type Netns,
  type PortReservation,
} from '../kernel/types.ts';
import { TABLE } from '../names.ts';

const OWNER = 'ingress';
const DEVICE = 'eth1';

interface Components {
  readonly kernel: Kernel;
  readonly firewall: HostFirewall;
  readonly gateway: Gateway;
  readonly logger: Logger;
}

/**
 * The way from this node's own address into the ingress sandbox: an endpoint on the gateway bridge
 * and a rule per published port. Clients keep their address on the whole way.
 */
export class IngressGate {
  readonly #components: Components;
  readonly #reservations = new Map<string, PortReservation>();
  /** Ports that others have, said once. */
  readonly #taken = new Set<string>();
  #ip = '';

  constructor(components: Components) {
    this.#components = components;
  }

  /** The sandbox's address on the gateway bridge, '' while the gate is closed. */
  get address(): string {
    return this.#ip;
  }

  async open(netns: Netns): Promise<void> {
    const { gateway, kernel } = this.#components;
    // Open: where br_netfilter is on, a container's packet to a port of its own host is switched
    // straight from its port of the bridge to this one.
    const target = { netns, ifname: DEVICE, open: true };
    const endpoint = await gateway.attach(OWNER, 'ingress-sbox', target);
    await kernel.apply(netns, [{ op: 'set-route', to: '0.0.0.0/0', via: endpoint.gateway }]);
    this.#ip = ipOf(endpoint.address);
  }

  /** Takes over a gate that an earlier life opened; false when there is none. */
  async adopt(netns: Netns): Promise<boolean> {
    const endpoint = await this.#components.gateway.adopt(OWNER, 'ingress-sbox', netns);
    this.#ip = endpoint?.ip ?? '';
    if (endpoint) await this.publish(await this.#publishedBefore());
    return endpoint !== undefined;
  }

  async publish(ports: readonly Pick<PublishedPort, 'protocol' | 'port'>[]): Promise<void> {
    if (!this.#ip) return;
    this.#reserve(ports);
    await this.#components.firewall.setPorts(
      OWNER,
      ports.map(({ protocol, port }) => ({
        protocol,
        hostIp: '',
        hostPort: port,
        targetIp: this.#ip,
        targetPort: port,
      })),
    );
  }

  async close(): Promise<void> {
    await this.#components.firewall.setPorts(OWNER, []);
    this.stop();
    this.#ip = '';
    await this.#components.gateway.detach(OWNER);
  }

  /** Lets the sockets go, and leaves the rules as they are. */
  stop(): void {
    for (const reservation of this.#reservations.values()) reservation.release();
    this.#reservations.clear();
  }

  /** The kernel remembers what was published while nobody has told this life yet. */
  async #publishedBefore(): Promise<{ protocol: L4Protocol; port: number }[]> {
    const tables = await this.#components.kernel.nftTables(HOST);
    if (!tables.includes(`ip ${TABLE}`)) return [];
    const elements = await this.#components.kernel.nftElements(HOST, `ip ${TABLE}`, 'published');
    return elements
      .filter(({ value }) => value[0] === this.#ip)
      .map(({ key }) => ({ protocol: key[0] as L4Protocol, port: Number(key[1]) }));
  }

  /** Only keeps others away; the rules work without, so a port that is taken is a warning. */
  #reserve(ports: readonly Pick<PublishedPort, 'protocol' | 'port'>[]): void {
    const wanted = new Map(ports.map((port) => [`${port.protocol} ${port.port}`, port]));
    for (const [key, reservation] of this.#reservations) {
      if (wanted.has(key)) continue;
      reservation.release();
      this.#reservations.delete(key);
    }
    for (const [key, { protocol, port }] of wanted) {
      if (this.#reservations.has(key)) continue;
      try {
        this.#reservations.set(key, this.#components.kernel.reservePort(HOST, protocol, '', port));
        this.#taken.delete(key);
      } catch (error) {
        if (this.#taken.has(key)) continue;
        this.#taken.add(key);
        this.#components.logger.warn(
          { port: `${port}/${protocol}`, error: errorMessage(error) },
          'a program of this host has a port that the swarm publishes, and will not be reached',
        );
      }
    }
  }
}
