import { createHash } from 'node:crypto';
import type {
  EndpointConfig,
  EndpointService,
  LocalNetwork,
  NetworkConfig,
  SandboxConfig,
} from '../../../netdriver/types.ts';
import type { NetworkAttachment } from '../../../proto/gen/swarm/objects.ts';
import { NetworkAttachment as Attachment } from '../../../proto/gen/swarm/objects.ts';

function hexId(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function overlayNetwork(name: string, init: Partial<NetworkConfig> = {}): NetworkConfig {
  return {
    id: hexId(`network ${name}`).slice(0, 25),
    name,
    driver: 'overlay',
    subnets: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1', vni: 4097 }],
    internal: false,
    ingress: false,
    attachable: true,
    options: {},
    labels: {},
    ...init,
  };
}

export const ingressNetwork = overlayNetwork('ingress', {
  subnets: [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1', vni: 4096 }],
  ingress: true,
  attachable: false,
});

/** What the manager hands out for a node's balancer on a network. */
export function attachment(network: NetworkConfig, address: string): NetworkAttachment {
  return Attachment.fromPartial({
    network: {
      id: network.id,
      spec: {
        annotations: { name: network.name },
        internal: network.internal,
        ingress: network.ingress,
        attachable: network.attachable,
      },
      driverState: {
        name: 'overlay',
        options: {
          'com.docker.network.driver.overlay.vxlanid_list': network.subnets
            .map((subnet) => subnet.vni)
            .join(','),
        },
      },
      ipam: { configs: network.subnets.map(({ subnet, gateway }) => ({ subnet, gateway })) },
    },
    addresses: [address],
  });
}

export function sandboxConfig(name: string, init: Partial<SandboxConfig> = {}): SandboxConfig {
  return {
    containerId: hexId(`container ${name}`),
    containerName: name,
    hostname: hexId(`container ${name}`).slice(0, 12),
    mode: 'container',
    ports: [],
    dns: { nameservers: [], search: [], options: [] },
    extraHosts: [],
    sysctls: {},
    ...init,
  };
}

export function endpointConfig(
  name: string,
  network: NetworkConfig | LocalNetwork,
  address = '',
  service?: Partial<EndpointService>,
): EndpointConfig {
  return {
    endpointId: hexId(`endpoint ${name} ${network.id}`),
    network,
    addresses: address ? [address] : [],
    aliases: [],
    ...(service
      ? {
          service: {
            id: 'svc',
            name: 'web',
            virtualIp: '',
            aliases: [],
            ingressPorts: [],
            ...service,
          },
        }
      : {}),
  };
}
