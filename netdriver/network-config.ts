import type { Network } from '../proto/gen/swarm/objects.ts';
import type { EndpointConfig, NetworkConfig, NetworkDriverName } from './types.ts';

const VNI_OPTION = 'com.docker.network.driver.overlay.vxlanid_list';

/**
 * What a node needs to know of a swarm network, from the object that managers hand out. Networks
 * carry IPv4 only; an IPv6 subnet is left out.
 */
export function networkConfigOf(network: Network): NetworkConfig {
  const { spec } = network;
  const options = { ...spec?.driverConfig?.options, ...network.driverState?.options };
  // One per IPv4 subnet, in their order.
  const vnis = (options[VNI_OPTION] ?? '').split(',').filter(Boolean).map(Number);
  const configs = (network.ipam?.configs ?? []).filter(({ subnet }) => !subnet.includes(':'));
  return {
    id: network.id,
    name: spec?.annotations?.name ?? '',
    driver: driverOf(network),
    subnets: configs.map(({ subnet, gateway, range }, index) => {
      const vni = vnis[index];
      return {
        subnet,
        gateway,
        ...(vni === undefined ? {} : { vni }),
        ...(range ? { range } : {}),
      };
    }),
    internal: spec?.internal ?? false,
    ingress: spec?.ingress ?? false,
    attachable: spec?.attachable ?? false,
    options,
    labels: spec?.annotations?.labels ?? {},
  };
}

export function driverOf(network: Network): NetworkDriverName {
  const name = network.driverState?.name || network.spec?.driverConfig?.name || 'overlay';
  return name as NetworkDriverName;
}

/** An endpoint without what it has of IPv6. */
export function ipv4Only(endpoint: EndpointConfig): EndpointConfig {
  const { network, addresses } = endpoint;
  const subnets = network.subnets.filter(({ subnet }) => !subnet.includes(':'));
  return {
    ...endpoint,
    network: { ...network, subnets },
    addresses: addresses.filter((address) => !address.includes(':')),
  };
}
