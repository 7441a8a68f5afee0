import type {
  LocalNetwork,
  NetworkConfig,
  NetworkView,
  ServiceView,
} from '../../../netdriver/index.ts';
import { rfc3339, ZERO_TIME } from '../http/time.ts';
import { nonEmpty, optional } from './common.ts';

/** GET /networks: a network of this node alone. */
export function localNetworkToApi(network: LocalNetwork) {
  return {
    ...configToApi(network),
    Created: rfc3339(network.createdAt),
    Scope: 'local',
    IPAM: { ...ipamToApi(network), Driver: network.ipamDriver || 'default' },
  };
}

/** A network of the swarm on a node that has no store to ask: what is present here. */
export function presentNetworkToApi(network: NetworkConfig) {
  return { ...configToApi(network), Created: ZERO_TIME, Scope: 'swarm', IPAM: ipamToApi(network) };
}

/** What a node that has the network adds to its description. */
export function networkViewToApi(view: NetworkView, verbose: boolean) {
  const containers = Object.entries(view.containers).map(([id, container]) => [
    id,
    {
      Name: container.name,
      EndpointID: container.endpointId,
      MacAddress: container.macAddress,
      IPv4Address: container.ipv4Address,
      IPv6Address: '',
    },
  ]);
  const peers = view.peers.map(({ name, ip }) => ({ Name: name, IP: ip }));
  return {
    Containers: Object.fromEntries(containers) as Record<string, object>,
    ...optional('Peers', view.config.driver === 'overlay' ? peers : undefined),
    ...optional('Services', verbose ? servicesToApi(view.services) : undefined),
  };
}

function configToApi(network: NetworkConfig) {
  return {
    Name: network.name,
    Id: network.id,
    Driver: network.driver,
    EnableIPv4: true,
    EnableIPv6: network.subnets.some(({ subnet }) => subnet.includes(':')),
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: network.ingress,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: {} as Record<string, object>,
    Options: network.options,
    Labels: network.labels,
  };
}

function ipamToApi(network: NetworkConfig) {
  return {
    Driver: 'default',
    Options: null as Record<string, string> | null,
    Config: network.subnets.map(({ subnet, range, gateway }) => ({
      Subnet: subnet,
      ...nonEmpty('IPRange', range ?? ''),
      ...nonEmpty('Gateway', gateway.split('/')[0] ?? ''),
    })),
  };
}

function servicesToApi(services: readonly ServiceView[]) {
  const entries = services.map((service) => [
    service.name,
    {
      VIP: service.virtualIp || '<nil>',
      Ports: service.ports,
      LocalLBIndex: service.localLBIndex,
      Tasks: service.tasks.map((task) => ({
        Name: task.name,
        EndpointID: task.endpointId,
        EndpointIP: task.endpointIp,
        Info: { 'Host IP': task.hostIp },
      })),
    },
  ]);
  return Object.fromEntries(entries) as Record<string, object>;
}
