import type {
  EndpointConfig,
  EndpointInfo,
  LocalNetwork,
  NetDriverApi,
  SandboxConfig,
  SandboxInfo,
  SandboxState,
} from '../../../netdriver/index.ts';

/**
 * A network driver that wires nothing: containers run in the host's network namespace, and what the
 * engine asked for can be looked at.
 */
export class FakeNetDriver implements Partial<NetDriverApi> {
  readonly sandboxes = new Map<string, SandboxState>();
  readonly calls: string[] = [];
  adopted: readonly SandboxState[] = [];

  async start(running: readonly SandboxState[]): Promise<void> {
    this.adopted = running;
    for (const state of running) this.sandboxes.set(state.config.containerId, state);
  }

  async stop(): Promise<void> {}

  async createSandbox(config: SandboxConfig): Promise<SandboxInfo> {
    const info: SandboxInfo = {
      netnsPath: '',
      ports: config.ports.map((port) => ({ ...port, hostPort: port.hostPort || 49_153 })),
      resolvConf: 'nameserver 127.0.0.11\n',
      hosts: `127.0.0.1\tlocalhost\n10.9.8.7\t${config.hostname}\n`,
      endpoints: [],
    };
    this.sandboxes.set(config.containerId, { config, endpoints: [], info, serviceEnabled: false });
    return info;
  }

  async connect(containerId: string, endpoint: EndpointConfig): Promise<EndpointInfo> {
    const state = this.sandboxes.get(containerId);
    if (!state) throw new Error(`no sandbox ${containerId}`);
    const info: EndpointInfo = {
      endpointId: endpoint.endpointId,
      networkId: endpoint.network.id,
      networkName: endpoint.network.name,
      ifname: `eth${state.endpoints.length}`,
      macAddress: '02:42:0a:09:08:07',
      addresses: endpoint.addresses.length > 0 ? endpoint.addresses : ['10.9.8.7/24'],
      gateway: '10.9.8.1',
      aliases: endpoint.aliases,
      dnsNames: [state.config.containerName],
    };
    this.sandboxes.set(containerId, {
      ...state,
      endpoints: [...state.endpoints, endpoint],
      info: { ...state.info, endpoints: [...state.info.endpoints, info] },
    });
    return info;
  }

  async disconnect(containerId: string, networkId: string): Promise<void> {
    const state = this.sandboxes.get(containerId);
    if (!state) return;
    const endpoints = state.info.endpoints.filter((one) => one.networkId !== networkId);
    this.sandboxes.set(containerId, { ...state, info: { ...state.info, endpoints } });
  }

  sandbox(containerId: string): SandboxState | undefined {
    return this.sandboxes.get(containerId);
  }

  async removeSandbox(containerId: string): Promise<void> {
    this.sandboxes.delete(containerId);
  }

  async enableService(containerId: string): Promise<void> {
    this.calls.push(`enable ${containerId}`);
    this.#setEnabled(containerId, true);
  }

  async disableService(containerId: string): Promise<void> {
    this.calls.push(`disable ${containerId}`);
    this.#setEnabled(containerId, false);
  }

  #setEnabled(containerId: string, serviceEnabled: boolean): void {
    const state = this.sandboxes.get(containerId);
    if (state) this.sandboxes.set(containerId, { ...state, serviceEnabled });
  }

  localNetworks(): readonly LocalNetwork[] {
    return [localNetwork('bridge', 'b'.repeat(64)), localNetwork('extra', 'e'.repeat(64))];
  }
}

export function localNetwork(name: string, id: string): LocalNetwork {
  return {
    id,
    name,
    driver: 'bridge',
    subnets: [{ subnet: '10.9.8.0/24', gateway: '10.9.8.1' }],
    internal: false,
    ingress: false,
    attachable: false,
    options: {},
    labels: {},
    createdAt: 0,
    ipamDriver: 'default',
    predefined: name === 'bridge',
  };
}
