import { SwarmError } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import { nextTurn } from '../../common/turns.ts';
import type { Bridges } from '../bridge/bridges.ts';
import type { Gateway } from '../bridge/gateway.ts';
import type { PortPublisher } from '../bridge/port-publisher.ts';
import { ipOf, macOf } from '../ipv4.ts';
import { TableWriter } from '../kernel/table-writer.ts';
import { HOST, type Kernel, type LinkOp } from '../kernel/types.ts';
import { KeyedLock } from '../keyed-lock.ts';
import { CLIENT_ADDRESS_NODES_MAX, ingressAddresses } from '../overlay/overlay.ts';
import type { Overlays } from '../overlay/overlays.ts';
import { overlayMtu } from '../overlay/plan.ts';
import type { Records } from '../records.ts';
import type { Forwarder, Upstream } from '../resolver/forwarder.ts';
import type { HostResolvConf } from '../resolver/host-resolv-conf.ts';
import { Resolver } from '../resolver/resolver.ts';
import type { EndpointConfig } from '../types.ts';
import { allOf, type Undo, undoing } from '../undo.ts';
import { clientRouteOps, clientRoutesIn } from './client-routes.ts';
import type { NameDirectory } from './name-directory.ts';
import type { DefaultWay, Sandbox, SandboxEndpoint } from './sandbox.ts';
import { sandboxRuleset } from './sandbox-rules.ts';

const EVERYWHERE = '0.0.0.0/0';

/** As Docker sets them: programs bind low ports and ping without privileges. */
const SYSCTLS = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
  // Of devices to come: networks are IPv4, and router solicitations would only be noise on them.
  'net.ipv6.conf.default.disable_ipv6': '1',
} as const;

/** A client's address does not lie behind the interface that its packets come from. */
const INGRESS_SYSCTLS = {
  'net.ipv4.conf.all.rp_filter': '0',
  'net.ipv4.conf.default.rp_filter': '0',
} as const;

interface Components {
  readonly kernel: Kernel;
  readonly random: Random;
  readonly logger: Logger;
  readonly overlays: Overlays;
  readonly bridges: Bridges;
  readonly gateway: Gateway;
  readonly ports: PortPublisher;
  readonly records: Records;
  readonly names: NameDirectory;
  readonly forwarder: Forwarder;
  readonly hostResolvConf: HostResolvConf;
}

/**
 * Connects sandboxes to networks, inside and outside of their namespaces. Each operation begins in its
 * own turn of the event loop: a netlink call is short, but those of thirty containers that start at once
 * would otherwise run one after the other without a pause.
 */
export class Wiring {
  readonly #components: Components;
  readonly #routing = new KeyedLock();
  #ordersMarks = false;

  constructor(components: Components) {
    this.#components = components;
  }

  async start(): Promise<void> {
    this.#ordersMarks = await this.#components.kernel.nftOrdersMarks();
  }

  async create(sandbox: Sandbox): Promise<void> {
    if (sandbox.netns === HOST) return;
    await nextTurn();
    const { kernel } = this.#components;
    kernel.removeNetns(sandbox.netns);
    await kernel.createNetns(sandbox.netns);
    const wanted = Object.entries(sandbox.config.sysctls).filter(([key]) => key.startsWith('net.'));
    try {
      kernel.setSysctls(sandbox.netns, { ...SYSCTLS, ...Object.fromEntries(wanted) });
    } catch (error) {
      kernel.removeNetns(sandbox.netns);
      throw error;
    }
    sandbox.rules = new TableWriter({ kernel }, { netns: sandbox.netns, fresh: true });
  }

  connect(sandbox: Sandbox, config: EndpointConfig): Promise<SandboxEndpoint> {
    const { network } = config;
    if (sandbox.endpoints.has(network.id)) {
      throw new SwarmError(
        'SWM_PERMISSION_DENIED',
        `container ${sandbox.id} is already attached to network ${network.name}`,
      );
    }
    checkMode(sandbox, config);
    return undoing(async (undo) => {
      const endpoint = await this.#attach(sandbox, config, undo);
      if (endpoint.ifname) undo.push(() => this.updateWay(sandbox));
      undo.push(() => sandbox.endpoints.delete(network.id));
      sandbox.endpoints.set(network.id, endpoint);
      if (!endpoint.ifname) return endpoint;
      await this.updateWay(sandbox);
      if (network.ingress) await this.#prepareIngress(sandbox, endpoint);
      await this.#startResolver(sandbox);
      await this.#writeRules(sandbox);
      return endpoint;
    });
  }

  async disconnect(sandbox: Sandbox, endpoint: SandboxEndpoint): Promise<void> {
    const { network } = endpoint.config;
    sandbox.endpoints.delete(network.id);
    if (!endpoint.ifname) return;
    if (network.ingress) {
      await this.syncClientRoutes(sandbox, endpoint, new Set());
      await this.#writeRules(sandbox);
    }
    await this.#components.kernel.deleteLinks(sandbox.netns, [endpoint.ifname]);
    await this.updateWay(sandbox);
    await this.#release(endpoint);
    if (!sandbox.wantsResolver) await this.#stopResolver(sandbox);
    this.#components.names.invalidate(network.id);
  }

  /**
   * Takes everything away at once. The devices go with the namespace, some time after its name:
   * until then they are down, so that the addresses can be given to others.
   */
  async remove(sandbox: Sandbox): Promise<void> {
    await nextTurn();
    const { gateway, names, ports } = this.#components;
    const { way } = sandbox;
    const endpoints = [...sandbox.endpoints.values()];
    sandbox.resolver?.server.stop();
    sandbox.resolver = undefined;
    sandbox.endpoints.clear();
    sandbox.way = undefined;
    const devices = [...endpoints.map(({ ifname }) => ifname), way?.ifname ?? ''].filter(Boolean);
    await allOf([
      () => ports.release(sandbox.id),
      () => this.#removeNetns(sandbox, devices),
      ...endpoints.map((endpoint) => async () => {
        names.invalidate(endpoint.config.network.id);
        if (endpoint.ifname) await this.#release(endpoint);
      }),
      ...(way && !way.networkId ? [() => gateway.detach(sandbox.id)] : []),
    ]);
  }

  /** Takes over what an earlier life wired; throws when it is not all there. */
  async adopt(sandbox: Sandbox, endpoints: readonly SandboxEndpoint[]): Promise<void> {
    const { kernel, gateway, bridges, overlays, logger } = this.#components;
    if (sandbox.netns !== HOST) {
      sandbox.rules = new TableWriter({ kernel }, { netns: sandbox.netns });
    }
    for (const endpoint of endpoints) {
      const { network, endpointId } = endpoint.config;
      sandbox.endpoints.set(network.id, endpoint);
      if (!endpoint.ifname) continue;
      const name = sandbox.config.containerName;
      if (network.driver === 'bridge') {
        await bridges.adopt(network, { endpointId, name, ip: ipOf(endpoint.address) });
      } else {
        const { address, mac } = endpoint;
        const isThere = await overlays.adopt(network, { id: endpointId, address, mac });
        if (!isThere) logger.error({ container: name, network: network.name }, 'no such overlay');
      }
    }
    if (sandbox.netns === HOST) return;
    const found = await gateway.adopt(sandbox.id, sandbox.config.containerName, sandbox.netns);
    if (found) sandbox.way = { networkId: undefined, ...found };
    await this.updateWay(sandbox);
    if (sandbox.ingress) {
      sandbox.clientRoutes = clientRoutesIn(kernel.rules(sandbox.netns));
    }
    await this.#startResolver(sandbox);
    await this.#writeRules(sandbox);
  }

  /** Makes the default route and the published ports follow the endpoints that are left. */
  async updateWay(sandbox: Sandbox): Promise<void> {
    const { kernel, gateway, ports } = this.#components;
    const next = wantedWay(sandbox);
    const old = sandbox.way;
    if (next === 'gateway' && old && !old.networkId) {
      await kernel.apply(sandbox.netns, [defaultRoute(sandbox, old)]);
      await ports.publish(sandbox.id, old.ip);
      return;
    }
    if (next !== 'gateway') {
      sandbox.way = next;
    } else {
      const ifname = this.#freeIfname(sandbox);
      const { netns } = sandbox;
      const name = sandbox.config.containerName;
      const endpoint = await gateway.attach(sandbox.id, name, { netns, ifname });
      const { gateway: via, address } = endpoint;
      sandbox.way = { networkId: undefined, ifname, ip: ipOf(address), gateway: via };
    }
    if (sandbox.way) await kernel.apply(sandbox.netns, [defaultRoute(sandbox, sandbox.way)]);
    await ports.publish(sandbox.id, sandbox.way?.ip ?? '');
    if (old && !old.networkId) await gateway.detach(sandbox.id);
  }

  /** Answers must find the way back to every node's ingress endpoint. */
  syncClientRoutes(
    sandbox: Sandbox,
    ingress: SandboxEndpoint,
    addresses: ReadonlySet<string>,
  ): Promise<void> {
    const { kernel } = this.#components;
    return this.#routing.run(sandbox.id, async () => {
      const ops = clientRouteOps(sandbox.clientRoutes, addresses, {
        ifname: ingress.ifname,
        ordered: this.#ordersMarks,
      });
      await kernel.tryApply(sandbox.netns, ops.removals);
      await kernel.apply(sandbox.netns, ops.additions);
      sandbox.clientRoutes = addresses;
    });
  }

  /** The ingress endpoints to have routes to, from the rows of the ingress network. */
  ingressEndpoints(networkId: string): ReadonlySet<string> {
    const rows = this.#components.records.lingeringEndpoints(networkId);
    return new Set(ingressAddresses(rows).slice(0, CLIENT_ADDRESS_NODES_MAX));
  }

  async #attach(sandbox: Sandbox, config: EndpointConfig, undo: Undo): Promise<SandboxEndpoint> {
    const { network, endpointId } = config;
    if (network.driver === 'host' || network.driver === 'null') {
      return { config, ifname: '', address: '', mac: '', gateway: '' };
    }
    await nextTurn();
    const { kernel, bridges, overlays } = this.#components;
    const ifname = this.#freeIfname(sandbox);
    const { netns } = sandbox;
    const [address = ''] = config.addresses;
    undo.push(() => kernel.deleteLinks(netns, [ifname]));
    if (network.driver === 'bridge') {
      const name = sandbox.config.containerName;
      const mac = config.macAddress ?? '';
      const request = { endpointId, name, address, mac, netns, ifname };
      const made = await bridges.attach(network, request);
      undo.push(() => bridges.detach(network, endpointId));
      return { config, ifname, ...made };
    }
    const mac = config.macAddress || macOf(ipOf(address));
    await overlays.attach(network, { id: endpointId, address, mac }, { netns, ifname });
    undo.push(() => overlays.detach(network.id, endpointId));
    return { config, ifname, address, mac, gateway: '' };
  }

  async #removeNetns({ netns }: Sandbox, devices: readonly string[]): Promise<void> {
    if (netns === HOST) return;
    const { kernel } = this.#components;
    await kernel.tryApply(
      netns,
      devices.map((name) => ({ op: 'set-link', name, up: false })),
    );
    kernel.removeNetns(netns);
  }

  #freeIfname(sandbox: Sandbox): string {
    for (let index = 0; ; index++) {
      const name = `eth${index}`;
      if (!this.#components.kernel.hasLink(sandbox.netns, name)) return name;
    }
  }

  #release({ config }: SandboxEndpoint): Promise<void> {
    const { bridges, overlays } = this.#components;
    return config.network.driver === 'bridge'
      ? bridges.detach(config.network, config.endpointId)
      : overlays.detach(config.network.id, config.endpointId);
  }

  async #prepareIngress(sandbox: Sandbox, endpoint: SandboxEndpoint): Promise<void> {
    this.#components.kernel.setSysctls(sandbox.netns, {
      ...INGRESS_SYSCTLS,
      [`net.ipv4.conf.${endpoint.ifname}.rp_filter`]: '0',
    });
    const addresses = this.ingressEndpoints(endpoint.config.network.id);
    await this.syncClientRoutes(sandbox, endpoint, addresses);
  }

  async #startResolver(sandbox: Sandbox): Promise<void> {
    if (!sandbox.wantsResolver || sandbox.resolver) return;
    const { names } = this.#components;
    const { dns } = sandbox.config;
    const server = new Resolver(this.#components, {
      netns: sandbox.netns,
      view: {
        tables: () => names.tablesFor(sandbox),
        upstreams: () => this.#upstreams(sandbox),
        keepSingleLabels: dns.options.some((option) => /^ndots:[1-9]/.test(option)),
      },
    });
    sandbox.resolver = { server, ...(await server.start()) };
  }

  async #stopResolver(sandbox: Sandbox): Promise<void> {
    if (!sandbox.resolver) return;
    sandbox.resolver.server.stop();
    sandbox.resolver = undefined;
    await this.#writeRules(sandbox);
  }

  /** Servers that the user named are asked from inside the container, the host's from the host. */
  #upstreams(sandbox: Sandbox): Upstream[] {
    const named = sandbox.config.dns.nameservers;
    if (named.length > 0) return named.map((address) => ({ address, netns: sandbox.netns }));
    if (sandbox.isInternal) return [];
    const { nameservers } = this.#components.hostResolvConf.read();
    return nameservers
      .filter((address) => !address.includes(':'))
      .map((address) => ({ address, netns: HOST }));
  }

  async #writeRules(sandbox: Sandbox): Promise<void> {
    const { resolver, ingress } = sandbox;
    if (!resolver && !ingress) {
      await sandbox.rules?.clear();
      return;
    }
    await sandbox.rules?.set(
      sandboxRuleset({
        ...(resolver ? { resolver } : {}),
        ...(ingress
          ? {
              ingress: {
                ifname: ingress.ifname,
                ip: ipOf(ingress.address),
                ports: ingress.config.service?.ingressPorts ?? [],
              },
            }
          : {}),
      }),
    );
  }
}

/** A bridge network first, else the gateway bridge for what else leads outside, else none. */
function wantedWay(sandbox: Sandbox): DefaultWay | 'gateway' | undefined {
  const outward = [...sandbox.endpoints.values()].filter(
    ({ config, ifname }) => ifname !== '' && !config.network.internal,
  );
  const bridge = outward.find(({ config }) => config.network.driver === 'bridge');
  if (!bridge) return outward.length > 0 ? 'gateway' : undefined;
  return {
    networkId: bridge.config.network.id,
    ifname: bridge.ifname,
    ip: ipOf(bridge.address),
    gateway: bridge.gateway,
  };
}

/**
 * An answer to a client of the mesh is made for the default route, and leaves through the ingress
 * network: it must fit that one.
 */
function defaultRoute(sandbox: Sandbox, way: DefaultWay): LinkOp {
  const network = sandbox.ingress?.config.network;
  const mtu = network && overlayMtu(network);
  return { op: 'set-route', to: EVERYWHERE, via: way.gateway, ...(mtu ? { mtu } : {}) };
}

function checkMode(sandbox: Sandbox, { network }: EndpointConfig): void {
  const { mode } = sandbox.config;
  const hasDevice = network.driver === 'bridge' || network.driver === 'overlay';
  if (mode === 'container' && !hasDevice) {
    throw new SwarmError(
      'SWM_PERMISSION_DENIED',
      `container cannot be connected to the ${network.name} network when it has others`,
    );
  }
  if (mode === 'host' && hasDevice) {
    throw new SwarmError(
      'SWM_PERMISSION_DENIED',
      'container sharing network namespace with another container or host cannot be connected ' +
        'to any other network',
    );
  }
  if (mode === 'none' && hasDevice) {
    throw new SwarmError(
      'SWM_PERMISSION_DENIED',
      'container cannot be connected to multiple networks with one of the networks in private ' +
        '(none) mode',
    );
  }
}
