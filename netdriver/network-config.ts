import type { Network } from '../proto/gen/swarm/objects.ts';
import type { EndpointConfig, NetworkConfig } from './types.ts';

const VNI_OPTION = 'com.docker.network.driver.overlay.vxlanid_list';

/**
 * What a node needs to know of a swarm network, from the object that managers hand out. Networks
 * carry IPv4 only; an IPv6 subnet is left out.
 */
export function networkConfigOf(network: Network): NetworkConfig {
  const options = { ...network.spec?.driverConfig?.options, ...network.driverState?.options };
  const vnis = (options[VNI_OPTION] ?? '').split(',').map(Number);
  const configs = (network.ipam?.configs ?? []).filter(({ subnet }) => !subnet.includes(':'));
  return {
    id: network.id,
    name: network.spec?.annotations?.name ?? '',
    driver: 'overlay',
    subnets: configs.map((config, index) => ({
      subnet: config.subnet,
      gateway: config.gateway,
      vni: vnis[index] ?? 0,
      ...(config.range ? { range: config.range } : {}),
    })),
    internal: network.spec?.internal ?? false,
    ingress: network.spec?.ingress ?? false,
    attachable: network.spec?.attachable ?? false,
    options,
    labels: network.spec?.annotations?.labels ?? {},
  };
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
