import { SwarmError } from '../../common/errors.ts';
import type { Network, NetworkAttachment, Service, Task } from '../../proto/gen/swarm/objects.ts';
import type { NetworkAttachmentConfig } from '../../proto/gen/swarm/specs.ts';
import type { ReadTx, WriteTx } from '../store/types.ts';
import { takeRequested } from './addresses.ts';
import { findNetwork, isOverlay } from './networks.ts';
import { hasIngressPorts } from './ports.ts';
import { isServiceAllocated, requireAllocated, requireIngress } from './service.ts';

/**
 * What a task needs of the cluster before it may be scheduled: one attachment per network, the
 * ingress first when its service publishes ports, and the endpoint of its service as it is now.
 * Returns the task to write in the same transaction. Throws a SwarmError that says what is missing.
 */
export function allocateTask(tx: WriteTx, task: Task): Task {
  const service = serviceOf(tx, task);
  const endpoint = service?.endpoint;
  const networks = Array.from(wantedNetworks(tx, task, service), ([network, config]) =>
    attach(tx, task, network, config),
  );
  return { ...task, networks, ...(endpoint ? { endpoint } : {}) };
}

/** The network as it is carried by whoever is attached to it. */
export function attachmentTo(
  network: Network,
  addresses: readonly string[],
  config: NetworkAttachmentConfig = configFor(network.id),
): NetworkAttachment {
  // A copy: the store still has to fill in the version of a network of the same transaction.
  return {
    network: { ...network },
    addresses,
    aliases: config.aliases,
    driverAttachmentOpts: config.driverAttachmentOpts,
  };
}

function serviceOf(tx: ReadTx, task: Task): Service | undefined {
  if (!task.serviceId) return undefined;
  const service = tx.get('service', task.serviceId);
  if (!service) throw new SwarmError('SWM_NOT_FOUND', `service ${task.serviceId} not found`);
  if (isServiceAllocated(tx, service)) return service;
  const name = service.spec?.annotations?.name;
  throw new SwarmError(
    'SWM_FAILED_PRECONDITION',
    `service ${name} waits for its virtual IPs and published ports`,
  );
}

/** By network, since one may be named by its id and by its name. */
function wantedNetworks(
  tx: ReadTx,
  task: Task,
  service: Service | undefined,
): Map<Network, NetworkAttachmentConfig> {
  const wanted = new Map<Network, NetworkAttachmentConfig>();
  if (hasIngressPorts(service?.endpoint?.ports ?? [])) {
    const ingress = requireIngress(tx);
    wanted.set(ingress, configFor(ingress.id));
  }
  const own = task.spec?.networks ?? [];
  for (const config of own.length > 0 ? own : (service?.spec?.networks ?? [])) {
    const network = findNetwork(tx, config.target);
    if (!network) throw new SwarmError('SWM_NOT_FOUND', `network ${config.target} not found`);
    wanted.set(network, config);
  }
  return wanted;
}

function configFor(target: string): NetworkAttachmentConfig {
  return { target, aliases: [], addresses: [], driverAttachmentOpts: {} };
}

function attach(
  tx: WriteTx,
  task: Task,
  network: Network,
  config: NetworkAttachmentConfig,
): NetworkAttachment {
  if (!isOverlay(network)) return attachmentTo(network, [], config);
  requireAllocated(network);
  return attachmentTo(network, takeRequested(tx, network, config.addresses, task.id), config);
}
