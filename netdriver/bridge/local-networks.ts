import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import { newHexId } from '../../common/ids.ts';
import type { Random } from '../../common/random.ts';
import { contains, ipOf, overlaps, parseCidr, subnetOf } from '../ipv4.ts';
import { HOST, type Kernel } from '../kernel/types.ts';
import { bridgeDevice, DEFAULT_BRIDGE_DEVICE, GATEWAY_NETWORK } from '../names.ts';
import type { StateFile } from '../state-file.ts';
import type { LocalNetwork, NetDriverApi, SubnetConfig } from '../types.ts';
import { defaultGateway, nextFreeSubnet } from './pools.ts';

export type LocalNetworkSpec = Parameters<NetDriverApi['createLocalNetwork']>[0];

export interface LocalNetworksFile {
  readonly version: 1;
  readonly networks: readonly LocalNetwork[];
}

interface Components {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly random: Random;
  readonly file: StateFile<LocalNetworksFile>;
  /** The file was saved by an earlier daemon. */
  readonly saved?: boolean;
}

const PREDEFINED = [
  { name: 'bridge', driver: 'bridge' },
  { name: 'host', driver: 'host' },
  { name: 'none', driver: 'null' },
] as const;

const DEVICE_OPTION = 'com.docker.network.bridge.name';

/** The networks of this node alone: what exists, on disk; not what is attached to them. */
export class LocalNetworks {
  readonly #components: Components;
  readonly #networks = new Map<string, LocalNetwork>();

  constructor(components: Components) {
    this.#components = components;
  }

  /**
   * Loads them; throws SWM_DAMAGED when they are not what was saved. A subnet that was chosen for the user moves on when the host
   * has taken it since.
   */
  async start(inUse: ReadonlySet<string>): Promise<void> {
    const { file: stored, saved = false } = this.#components;
    const file = saved ? await stored.loadSaved() : await stored.load();
    for (const network of file?.networks ?? []) this.#networks.set(network.id, network);
    for (const name of ['bridge', GATEWAY_NETWORK]) {
      const network = this.find(name);
      if (network && !inUse.has(network.id) && this.#taken(network)) {
        this.#networks.set(network.id, { ...network, subnets: [this.#freeSubnet(network.id)] });
      }
    }
    for (const { name, driver } of PREDEFINED) {
      if (this.find(name)) continue;
      const subnets = driver === 'bridge' ? [this.#freeSubnet()] : [];
      const options: Record<string, string> =
        driver === 'bridge' ? { [DEVICE_OPTION]: DEFAULT_BRIDGE_DEVICE } : {};
      this.#add({ name, driver, subnets, internal: false, attachable: false, options, labels: {} });
    }
    await this.#save();
  }

  list(): readonly LocalNetwork[] {
    return [...this.#networks.values()];
  }

  get(id: string): LocalNetwork | undefined {
    return this.#networks.get(id);
  }

  find(name: string): LocalNetwork | undefined {
    return this.list().find((network) => network.name === name);
  }

  async create(spec: LocalNetworkSpec): Promise<LocalNetwork> {
    this.#validate(spec);
    const subnets =
      spec.driver === 'bridge'
        ? (spec.subnets.length > 0 ? spec.subnets : [{}]).map((subnet) => this.#complete(subnet))
        : [];
    const network = this.#add({ ...spec, subnets });
    await this.#save();
    return network;
  }

  async remove(id: string): Promise<void> {
    this.#networks.delete(id);
    await this.#save();
  }

  /** The bridge through which containers of overlays reach the outside; made when first needed. */
  async gateway(): Promise<LocalNetwork> {
    return (
      this.find(GATEWAY_NETWORK) ??
      this.create({
        name: GATEWAY_NETWORK,
        driver: 'bridge',
        subnets: [],
        internal: false,
        attachable: false,
        options: {
          [DEVICE_OPTION]: GATEWAY_NETWORK,
          'com.docker.network.bridge.enable_icc': 'false',
          'com.docker.network.bridge.enable_ip_masquerade': 'true',
        },
        labels: {},
      })
    );
  }

  #validate(spec: LocalNetworkSpec): void {
    const predefined = PREDEFINED.find(({ name }) => name === spec.name);
    if (predefined) {
      throw new SwarmError(
        'SWM_PERMISSION_DENIED',
        `operation is not permitted on predefined ${spec.name} network`,
      );
    }
    if (this.find(spec.name)) {
      throw new SwarmError('SWM_CONFLICT', `network with name ${spec.name} already exists`);
    }
    if (spec.driver === 'host' || spec.driver === 'null') {
      throw new SwarmError(
        'SWM_PERMISSION_DENIED',
        `only one instance of "${spec.driver}" network is allowed`,
      );
    }
    if (spec.driver !== 'bridge') {
      throw new SwarmError(
        'SWM_INVALID_ARGUMENT',
        `a local network has the driver bridge, not ${spec.driver}`,
      );
    }
    const device = spec.options[DEVICE_OPTION];
    const other = this.list().find((network) => device && deviceOf(network) === device);
    if (other) {
      throw new SwarmError(
        'SWM_CONFLICT',
        `the bridge name ${device} is already used by network ${other.name}`,
      );
    }
  }

  /** Fills in what the user left open and refuses what cannot be. */
  #complete(wanted: Partial<SubnetConfig>): SubnetConfig {
    if (!wanted.subnet) return this.#freeSubnet();
    if (wanted.subnet.includes(':')) {
      throw new SwarmError(
        'SWM_NOT_IMPLEMENTED',
        `the subnet ${wanted.subnet} is IPv6, and networks carry IPv4 only`,
      );
    }
    const subnet = checkedSubnet(wanted.subnet);
    const other = this.list().find((n) => n.subnets.some((s) => overlaps(s.subnet, subnet)));
    if (other) {
      throw new SwarmError(
        'SWM_PERMISSION_DENIED',
        'invalid pool request: Pool overlaps with other one on this address space',
        { hint: `${subnet} overlaps network ${other.name}; choose another --subnet.` },
      );
    }
    const gateway = ipOf(wanted.gateway || defaultGateway(subnet));
    for (const inside of [gateway, ...(wanted.range ? [ipOf(wanted.range)] : [])]) {
      if (contains(subnet, inside)) continue;
      throw new SwarmError('SWM_INVALID_ARGUMENT', `${inside} is not in the subnet ${subnet}`);
    }
    return { subnet, gateway, ...(wanted.range ? { range: subnetOf(wanted.range) } : {}) };
  }

  /** The next of the local pools that neither a network nor a route of the host touches. */
  #freeSubnet(except?: string): SubnetConfig {
    const networks = this.list().filter((network) => network.id !== except);
    const used = [...networks.flatMap((n) => n.subnets.map((s) => s.subnet)), ...this.#onHost()];
    const subnet = nextFreeSubnet(used);
    if (!subnet) {
      throw new SwarmError(
        'SWM_RESOURCE_EXHAUSTED',
        'all predefined address pools have been fully subnetted',
        { hint: 'Give the network a --subnet of its own, or remove unused networks.' },
      );
    }
    return { subnet, gateway: defaultGateway(subnet) };
  }

  #taken(network: LocalNetwork): boolean {
    const others = this.#onHost();
    return network.subnets.some((s) => others.some((other) => overlaps(s.subnet, other)));
  }

  /** Routes of the host that do not lead to bridges of ours. */
  #onHost(): string[] {
    const ours = new Set(this.list().map(deviceOf));
    return this.#components.kernel
      .routes(HOST)
      .filter((route) => !route.to.endsWith('/0') && !ours.has(route.dev))
      .map((route) => route.to);
  }

  #add(spec: Omit<LocalNetworkSpec, 'subnets'> & { subnets: SubnetConfig[] }): LocalNetwork {
    const network: LocalNetwork = {
      ...spec,
      id: newHexId(this.#components.random),
      ingress: false,
      createdAt: this.#components.clock.now(),
      ipamDriver: 'default',
      predefined: PREDEFINED.some(({ name }) => name === spec.name),
    };
    this.#networks.set(network.id, network);
    return network;
  }

  #save(): Promise<void> {
    return this.#components.file.save({ version: 1, networks: this.list() });
  }
}

/** The bridge's device on the host. */
export function deviceOf(network: Pick<LocalNetwork, 'id' | 'options'>): string {
  return network.options[DEVICE_OPTION] || bridgeDevice(network.id);
}

function checkedSubnet(text: string): string {
  try {
    if (parseCidr(text).prefix > 30) throw new RangeError(`${text} has no room for endpoints`);
    return subnetOf(text);
  } catch (error) {
    throw new SwarmError(
      'SWM_INVALID_ARGUMENT',
      `invalid subnet ${text}: ${(error as Error).message}`,
    );
  }
}
