import { SwarmError } from '../../../common/errors.ts';
import type {
  LocalNetwork,
  NetDriverApi,
  NetworkConfig,
  NetworkView,
} from '../../../netdriver/index.ts';

/** The networks of a node, as lists: what the API reads and changes, and no more. */
export class FakeNetDriver {
  readonly views = new Map<string, NetworkView>();
  readonly present: NetworkConfig[] = [];
  readonly networks: LocalNetwork[] = ['bridge', 'host', 'none'].map((name, i) => ({
    ...localNetwork(`${i}`.repeat(64), name),
    driver: name === 'none' ? 'null' : (name as 'bridge' | 'host'),
    predefined: true,
  }));

  localNetworks(): readonly LocalNetwork[] {
    return this.networks;
  }

  overlays(): readonly NetworkConfig[] {
    return this.present;
  }

  inspect(id: string): NetworkView | undefined {
    return this.views.get(id);
  }

  async createLocalNetwork(
    spec: Parameters<NetDriverApi['createLocalNetwork']>[0],
  ): Promise<LocalNetwork> {
    const subnets = spec.subnets.map(({ subnet = '', gateway = '', range }) => ({
      subnet,
      gateway,
      ...(range ? { range } : {}),
    }));
    const network = { ...localNetwork('c'.repeat(64), spec.name), ...spec, subnets };
    this.networks.push(network);
    return network;
  }

  async removeLocalNetwork(id: string): Promise<void> {
    const at = this.networks.findIndex((network) => network.id === id);
    const network = this.networks[at];
    if (Object.keys(this.views.get(id)?.containers ?? {}).length > 0) {
      const message = `network ${network?.name} has active endpoints (name:"c1" id:"e1")`;
      throw new SwarmError('SWM_PERMISSION_DENIED', message);
    }
    this.networks.splice(at, 1);
  }

  asNetDriver(): NetDriverApi {
    return this as unknown as NetDriverApi;
  }
}

export function localNetwork(id: string, name: string): LocalNetwork {
  return {
    id,
    name,
    driver: 'bridge',
    subnets: [{ subnet: '172.30.0.0/16', gateway: '172.30.0.1' }],
    internal: false,
    ingress: false,
    attachable: false,
    options: {},
    labels: {},
    createdAt: Date.UTC(2026, 0, 1),
    ipamDriver: 'default',
    predefined: false,
  };
}
