import type { EndpointConfig, NetworkConfig, NetworkDriverName } from '../../../netdriver/index.ts';
import type { GossipPort } from '../../../proto/gen/swarm/gossip.ts';
import type { Network, NetworkAttachment, Task } from '../../../proto/gen/swarm/objects.ts';
import { IPFamily, PortConfig_PublishMode as PublishMode } from '../../../proto/gen/swarm/types.ts';

const VNI_LIST = 'com.docker.network.driver.overlay.vxlanid_list';

/** A swarm network as the data plane wants it. */
export function networkConfig(network: Network): NetworkConfig {
  const spec = network.spec;
  const options = { ...spec?.driverConfig?.options, ...network.driverState?.options };
  const vnis = (options[VNI_LIST] ?? '').split(',').filter(Boolean).map(Number);
  let nextVni = 0;
  const subnets = (network.ipam?.configs ?? []).map(({ family, subnet, gateway, range }) => {
    // Only IPv4 subnets have a VXLAN segment of their own; IPv6 shares the one of its network.
    const vni = isIpv6(family, subnet) ? vnis[0] : vnis[nextVni++];
    return { subnet, gateway, ...(vni === undefined ? {} : { vni }), ...(range ? { range } : {}) };
  });
  return {
    id: network.id,
    name: spec?.annotations?.name ?? '',
    driver: driverOf(network),
    subnets,
    internal: spec?.internal ?? false,
    ingress: spec?.ingress ?? false,
    attachable: spec?.attachable ?? false,
    options,
    labels: spec?.annotations?.labels ?? {},
  };
}

function isIpv6(family: IPFamily, subnet: string): boolean {
  return family === IPFamily.IPV6 || subnet.includes(':');
}

export function driverOf(network: Network): NetworkDriverName {
  const name = network.driverState?.name || network.spec?.driverConfig?.name || 'overlay';
  return name as NetworkDriverName;
}

export function isOverlay(attachment: NetworkAttachment): boolean {
  return attachment.network !== undefined && driverOf(attachment.network) === 'overlay';
}

/** The overlay endpoints of a service's task, one per network. */
export function taskEndpoints(task: Task, newEndpointId: () => string): EndpointConfig[] {
  return task.networks.filter(isOverlay).map((attachment) => ({
    endpointId: newEndpointId(),
    ...attachmentEndpoint(attachment),
    service: endpointService(task, attachment),
    taskId: task.id,
  }));
}

/** One attachment without what only services have. */
export function attachmentEndpoint(
  attachment: NetworkAttachment,
): Pick<EndpointConfig, 'network' | 'addresses' | 'aliases'> {
  if (!attachment.network) throw new TypeError('an attachment must carry its network');
  return {
    network: networkConfig(attachment.network),
    addresses: attachment.addresses,
    aliases: [],
  };
}

function endpointService(task: Task, attachment: NetworkAttachment): EndpointConfig['service'] {
  const networkId = attachment.network?.id;
  const virtualIp = task.endpoint?.virtualIps.find((vip) => vip.networkId === networkId)?.addr;
  return {
    id: task.serviceId,
    name: task.serviceAnnotations?.name ?? '',
    virtualIp: virtualIp?.split('/')[0] ?? '',
    aliases: attachment.aliases,
    ingressPorts: attachment.network?.spec?.ingress ? ingressPorts(task) : [],
  };
}

function ingressPorts(task: Task): GossipPort[] {
  return (task.endpoint?.ports ?? [])
    .filter(({ publishMode }) => publishMode === PublishMode.INGRESS)
    .map(({ name, protocol, targetPort, publishedPort }) => {
      return { name, protocol, targetPort, publishedPort, snat: false };
    });
}
