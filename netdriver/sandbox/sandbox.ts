import { ipOf } from '../ipv4.ts';
import type { TableWriter } from '../kernel/table-writer.ts';
import { HOST, type Netns } from '../kernel/types.ts';
import { containerNetns } from '../names.ts';
import { containerResolvConf, type ResolvConf } from '../resolver/resolv-conf.ts';
import type { Resolver } from '../resolver/resolver.ts';
import type {
  EndpointConfig,
  EndpointInfo,
  PortBinding,
  SandboxConfig,
  SandboxInfo,
  SandboxState,
} from '../types.ts';
import { hostsFile } from './hosts-file.ts';

const SHORT_ID_LENGTH = 12;

/** A container's endpoint on one network, as it was wired. */
export interface SandboxEndpoint {
  readonly config: EndpointConfig;
  /** '' on networks without a device: host and none. */
  readonly ifname: string;
  /** CIDR, '' without a device. */
  readonly address: string;
  readonly mac: string;
  readonly gateway: string;
}

/** Which way the container's default route goes. */
export interface DefaultWay {
  /** The bridge network it uses; undefined for the gateway bridge. */
  readonly networkId: string | undefined;
  readonly ifname: string;
  readonly ip: string;
  readonly gateway: string;
}

/** One container's place in the network: what is wired, and nothing that wires. */
export class Sandbox {
  readonly config: SandboxConfig;
  readonly endpoints = new Map<string, SandboxEndpoint>();
  ports: readonly PortBinding[] = [];
  way: DefaultWay | undefined;
  serviceEnabled = false;
  /** Its services' rows exist, whether they send it traffic or let it drain. */
  serviceAnnounced = false;
  resolver: { server: Resolver; udpPort: number; tcpPort: number } | undefined;
  rules: TableWriter | undefined;
  /** Ingress endpoints that answers find their way back to. */
  clientRoutes: ReadonlySet<string> = new Set();

  constructor(config: SandboxConfig) {
    this.config = config;
  }

  get id(): string {
    return this.config.containerId;
  }

  /** `HOST` when the container lives in the host's namespace. */
  get netns(): Netns {
    return this.config.mode === 'host' ? HOST : containerNetns(this.id);
  }

  get ingress(): SandboxEndpoint | undefined {
    return [...this.endpoints.values()].find((endpoint) => endpoint.config.network.ingress);
  }

  /** On the default bridge alone there are no names, as with Docker. */
  get wantsResolver(): boolean {
    return [...this.endpoints.values()].some(
      ({ ifname, config }) => ifname !== '' && !isDefaultBridge(config),
    );
  }

  /** Behind internal networks only, nothing outside can be asked. */
  get isInternal(): boolean {
    const wired = [...this.endpoints.values()].filter(({ ifname }) => ifname !== '');
    return wired.length > 0 && wired.every(({ config }) => config.network.internal);
  }

  /** Every name under which others on a network find this container. */
  dnsNames(endpoint: Pick<EndpointConfig, 'aliases'>): string[] {
    const { containerName, hostname } = this.config;
    const shortId = this.id.slice(0, SHORT_ID_LENGTH);
    return [...new Set([containerName, ...endpoint.aliases, shortId, hostname])].filter(Boolean);
  }

  endpointInfo(endpoint: SandboxEndpoint): EndpointInfo {
    const { config } = endpoint;
    return {
      endpointId: config.endpointId,
      networkId: config.network.id,
      networkName: config.network.name,
      ifname: endpoint.ifname,
      macAddress: endpoint.mac,
      addresses: endpoint.address ? [endpoint.address] : [],
      gateway: endpoint.gateway,
      aliases: config.aliases,
      dnsNames: isDefaultBridge(config) ? [] : this.dnsNames(config),
    };
  }

  info(host: ResolvConf, netnsPath: string): SandboxInfo {
    const endpoints = [...this.endpoints.values()];
    return {
      netnsPath: this.config.mode === 'host' ? '' : netnsPath,
      ports: this.ports,
      resolvConf: this.#resolvConf(host),
      hosts: hostsFile({
        hostname: this.config.hostname,
        addresses: endpoints.flatMap(({ address }) => (address ? [ipOf(address)] : [])),
        extraHosts: this.config.extraHosts,
        gateway: this.way?.gateway ?? '',
      }),
      endpoints: endpoints.map((endpoint) => this.endpointInfo(endpoint)),
    };
  }

  state(host: ResolvConf, netnsPath: string): SandboxState {
    return {
      config: this.config,
      endpoints: [...this.endpoints.values()].map(({ config }) => config),
      info: this.info(host, netnsPath),
      serviceEnabled: this.serviceEnabled,
    };
  }

  /** A container that shares the host's namespace resolves as the host does, loopback and all. */
  #resolvConf(host: ResolvConf): string {
    const { dns, mode } = this.config;
    if (mode === 'host' && dns.nameservers.length === 0) {
      const own = { ...dns, nameservers: host.nameservers };
      return containerResolvConf(host, own, false);
    }
    return containerResolvConf(host, dns, this.wantsResolver);
  }
}

function isDefaultBridge({ network }: EndpointConfig): boolean {
  return network.driver === 'bridge' && network.name === 'bridge';
}
