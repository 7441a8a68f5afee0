import { ipOf } from './ipv4.ts';
import { balancerEndpoint, INGRESS_ENDPOINT, INGRESS_SANDBOX_KEY } from './names.ts';
import type { Overlay } from './overlay/overlay.ts';
import type { EndpointRow } from './records.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import type { NetworkConfig, NetworkView, ServiceView } from './types.ts';

type ContainerView = NetworkView['containers'][string];

/** A network that only this node has. */
export function localView(network: NetworkConfig, sandboxes: Iterable<Sandbox>): NetworkView {
  const containers = containersOn(network.id, sandboxes);
  return { config: network, containers, peers: [], services: [] };
}

/** An overlay as this node sees it: its own endpoints, and everybody's services. */
export function overlayView(
  overlay: Overlay,
  sandboxes: Iterable<Sandbox>,
  world: {
    peers: NetworkView['peers'];
    rows: readonly EndpointRow[];
    /** Endpoint id to the data path address of its node. */
    hosts: ReadonlyMap<string, string>;
    lbIndex: (serviceId: string) => number;
  },
): NetworkView {
  const { network } = overlay;
  return {
    config: network,
    containers: { ...containersOn(network.id, sandboxes), ...balancerView(overlay) },
    peers: world.peers,
    services: servicesOf(world),
  };
}

function containersOn(
  networkId: string,
  sandboxes: Iterable<Sandbox>,
): Record<string, ContainerView> {
  const result: Record<string, ContainerView> = {};
  for (const sandbox of sandboxes) {
    const endpoint = sandbox.endpoints.get(networkId);
    if (!endpoint) continue;
    result[sandbox.id] = {
      name: sandbox.config.containerName,
      endpointId: endpoint.config.endpointId,
      macAddress: endpoint.mac,
      ipv4Address: endpoint.address,
    };
  }
  return result;
}

function balancerView({ network, balancer }: Overlay): Record<string, ContainerView> {
  if (!balancer) return {};
  const { id, mac, address } = balancer.endpoint;
  const key = network.ingress ? INGRESS_SANDBOX_KEY : `lb-${network.name}`;
  const name = network.ingress ? INGRESS_ENDPOINT : balancerEndpoint(network.name);
  return { [key]: { name, endpointId: id, macAddress: mac, ipv4Address: address } };
}

/** By service name; balancers and standalone containers are under ''. */
function servicesOf(world: {
  rows: readonly EndpointRow[];
  hosts: ReadonlyMap<string, string>;
  lbIndex: (serviceId: string) => number;
}): ServiceView[] {
  const names = [...new Set(world.rows.map(({ record }) => record.serviceName))].sort();
  return names.map((name) => {
    const rows = world.rows.filter(({ record }) => record.serviceName === name);
    const first = rows[0]?.record;
    const ports = rows.flatMap(({ record }) => record.ingressPorts);
    const texts = ports.map((port) => `Target: ${port.targetPort}, Publish: ${port.publishedPort}`);
    return {
      name,
      virtualIp: first?.virtualIp ?? '',
      ports: [...new Set(texts)],
      localLBIndex: first?.serviceId ? world.lbIndex(first.serviceId) : 0,
      tasks: rows.map(({ key, record }) => ({
        name: record.name,
        endpointId: key,
        endpointIp: ipOf(record.endpointIp),
        hostIp: world.hosts.get(key) ?? '',
      })),
    };
  });
}
