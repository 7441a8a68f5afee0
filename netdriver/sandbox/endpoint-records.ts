import { EndpointRecord } from '../../proto/gen/swarm/gossip.ts';
import { ipOf } from '../ipv4.ts';
import type { Sandbox, SandboxEndpoint } from './sandbox.ts';

/** The row that tells other nodes of an endpoint on an overlay. */
export function endpointRecordOf(sandbox: Sandbox, endpoint: SandboxEndpoint): EndpointRecord {
  const { config } = endpoint;
  const { service } = config;
  return EndpointRecord.fromPartial({
    name: sandbox.config.containerName,
    serviceName: service?.name ?? '',
    serviceId: service?.id ?? '',
    virtualIp: service?.virtualIp ?? '',
    endpointIp: ipOf(endpoint.address),
    ingressPorts: [...(service?.ingressPorts ?? [])],
    aliases: [...(service?.aliases ?? [])],
    taskAliases: [...config.aliases],
    serviceDisabled: service !== undefined && !sandbox.serviceEnabled,
    containerId: sandbox.id,
    hostname: sandbox.config.hostname,
    taskId: config.taskId ?? '',
  });
}
