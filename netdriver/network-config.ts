import type { Network } from '../proto/gen/swarm/objects.ts';
import type { NetworkConfig } from './types.ts';

const VNI_OPTION = 'com.docker.network.driver.overlay.vxlanid_list';

/** What a node needs to know of a swarm network, from the object that managers hand out. */
export function networkConfigOf(network: Network): NetworkConfig {
  const options = { ...network.spec?.driverConfig?.options, ...network.driverState?.options };
  const vnis = (options[VNI_OPTION] ?? '').split(',').map(Number);
  return {
    id: network.id,
    name: network.spec?.annotations?.name ?? '',
    driver: 'overlay',
    subnets: (network.ipam?.configs ?? []).map((config, index) => ({
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
