import { driverOf, type EndpointConfig, networkConfigOf } from '../../../netdriver/index.ts';
import type { GossipPort } from '../../../proto/gen/swarm/gossip.ts';
import type { NetworkAttachment, Task } from '../../../proto/gen/swarm/objects.ts';
import { PortConfig_PublishMode as PublishMode } from '../../../proto/gen/swarm/types.ts';

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
    network: networkConfigOf(attachment.network),
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
