import { SwarmError } from '../../common/errors.ts';
import type { Network, Service, VirtualIP } from '../../proto/gen/swarm/objects.ts';
import {
  EndpointSpec,
  EndpointSpec_ResolutionMode as ResolutionMode,
} from '../../proto/gen/swarm/specs.ts';
import type { ReadTx, WriteTx } from '../store/types.ts';
import { takeAddresses } from './addresses.ts';
import { findIngress, findNetwork, isAllocated, isOverlay } from './networks.ts';
import { allocatePorts, hasIngressPorts } from './ports.ts';

/**
 * What a service needs of the cluster: its published ports and one virtual IP per overlay, the
 * ingress first. What it has and still needs is kept; the rest is free once the result is written,
 * which must happen in the same transaction.
 * Throws SWM_INVALID_ARGUMENT ("port '80' is already in use by service 'web' (id) as an ingress
 * port", ...), SWM_NOT_FOUND for an unknown network and SWM_RESOURCE_EXHAUSTED.
 */
export function allocateService(tx: WriteTx, service: Service): Service {
  const ports = allocatePorts(tx, service);
  const networks = virtualIpNetworks(tx, service);
  const held = service.endpoint?.virtualIps ?? [];
  const virtualIps = networks.map((network): VirtualIP => {
    const kept = held.find(({ networkId, addr }) => networkId === network.id && addr !== '');
    return kept ?? { networkId: network.id, addr: takeVirtualIp(tx, network) };
  });
  return { ...service, endpoint: { spec: service.spec?.endpoint, ports, virtualIps } };
}

/** The networks that a service's template names, in its order. */
function serviceNetworks(tx: ReadTx, service: Service): Network[] {
  return serviceTargets(service).map((target) => {
    const network = findNetwork(tx, target);
    if (!network) throw new SwarmError('SWM_NOT_FOUND', `network ${target} not found`);
    return network;
  });
}

function serviceTargets({ spec }: Service): string[] {
  const configs = spec?.task?.networks.length ? spec.task.networks : (spec?.networks ?? []);
  return configs.map(({ target }) => target);
}

/** True when what `allocateService` would give is there already. */
export function isServiceAllocated(tx: ReadTx, service: Service): boolean {
  const { endpoint } = service;
  if (!endpoint) return false;
  const same = EndpointSpec.encode(endpoint.spec ?? NO_ENDPOINT).finish();
  const wanted = EndpointSpec.encode(service.spec?.endpoint ?? NO_ENDPOINT).finish();
  if (Buffer.compare(same, wanted) !== 0) return false;
  const networkIds = virtualIpNetworks(tx, service).map(({ id }) => id);
  const held = endpoint.virtualIps.map(({ networkId, addr }) => addr && networkId);
  return networkIds.length === held.length && networkIds.every((id) => held.includes(id));
}

const NO_ENDPOINT = EndpointSpec.fromPartial({});

function virtualIpNetworks(tx: ReadTx, service: Service): Network[] {
  const endpoint = service.spec?.endpoint;
  const overlays = serviceNetworks(tx, service).filter(isOverlay);
  if (endpoint?.mode === ResolutionMode.DNSRR) return [];
  if (!hasIngressPorts(endpoint?.ports ?? [])) return unique(overlays);
  return unique([requireIngress(tx), ...overlays]);
}

export function requireIngress(tx: ReadTx): Network {
  const ingress = findIngress(tx);
  if (ingress) return ingress;
  throw new SwarmError(
    'SWM_FAILED_PRECONDITION',
    'service needs ingress network, but no ingress network is present',
  );
}

/** Addresses can only be taken from a network that has its subnets. */
export function requireAllocated(network: Network): void {
  if (isAllocated(network)) return;
  const name = network.spec?.annotations?.name;
  throw new SwarmError('SWM_FAILED_PRECONDITION', `network ${name} is not allocated yet`);
}

/** Of a network with two families the IPv4 address, as the data plane balances IPv4. */
function takeVirtualIp(tx: WriteTx, network: Network): string {
  requireAllocated(network);
  return takeAddresses(tx, network)[0] as string;
}

function unique(networks: readonly Network[]): Network[] {
  return [...new Map(networks.map((network) => [network.id, network])).values()];
}
