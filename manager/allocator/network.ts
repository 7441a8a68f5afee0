import type { Network } from '../../proto/gen/swarm/objects.ts';
import { type IPAMConfig, IPFamily } from '../../proto/gen/swarm/types.ts';
import type { ReadTx, WriteTx } from '../store/types.ts';
import { invalidRequest, poolOverlap } from './errors.ts';
import {
  contains,
  formatIp,
  formatSubnet,
  overlaps,
  parseIp,
  parseSubnet,
  type Subnet,
} from './ip.ts';
import { driverOf, isOverlay } from './networks.ts';
import { nextSubnet, refuseOverlap } from './subnets.ts';
import { takeVxlanIds, VXLAN_IDS_OPTION } from './vni.ts';

/**
 * What a network needs of the cluster: for an overlay its subnets, gateways and VXLAN ids, for any
 * other driver nothing. Returns the network to write in the same transaction.
 * Throws SWM_INVALID_ARGUMENT for what cannot be had, SWM_RESOURCE_EXHAUSTED when the pools are.
 */
export function allocateNetwork(tx: WriteTx, network: Network): Network {
  const name = driverOf(network);
  if (!isOverlay(network)) return { ...network, driverState: { name, options: {} } };

  const configs = allocateConfigs(tx, network);
  const ipv4 = configs.filter(({ family }) => family === IPFamily.IPV4).length;
  const ids = takeVxlanIds(tx, network, ipv4);
  const options = { ...network.spec?.driverConfig?.options, [VXLAN_IDS_OPTION]: ids.join(',') };
  const ipam = network.spec?.ipam?.driver;
  const driver = { name: ipam?.name || 'default', options: { ...ipam?.options } };
  return { ...network, driverState: { name, options }, ipam: { driver, configs } };
}

/** The user's subnets, each checked, and an automatic one for a family that has none. */
function allocateConfigs(tx: ReadTx, network: Network): IPAMConfig[] {
  const wanted = network.spec?.ipam?.configs ?? [];
  const configs: IPAMConfig[] = [];
  const taken: Subnet[] = [];
  for (const config of wanted) {
    const subnet = config.subnet ? checkedSubnet(config.subnet) : freeSubnet(tx, config, taken);
    refuseOverlap(tx, subnet);
    const own = taken.find((other) => overlaps(other, subnet));
    if (own) throw poolOverlap(formatSubnet(subnet), formatSubnet(own), undefined);
    taken.push(subnet);
    configs.push(complete(config, subnet));
  }
  const has = (family: 4 | 6) => taken.some((subnet) => subnet.family === family);
  if (!has(4)) configs.unshift(complete(undefined, nextSubnet(tx, 4)));
  if (network.spec?.ipv6Enabled && !has(6)) configs.push(complete(undefined, nextSubnet(tx, 6)));
  return configs;
}

function checkedSubnet(text: string): Subnet {
  const subnet = parseSubnet(text);
  if (!subnet) throw invalidRequest(`invalid subnet ${text}: it must be an address and a length`);
  const masked = formatSubnet(subnet);
  if (parseIp(text.split('/')[0] as string)?.value !== subnet.first) {
    throw invalidRequest(`invalid subnet ${text}: it should be ${masked}`);
  }
  if (subnet.last - subnet.first < 3n) {
    throw invalidRequest(`invalid subnet ${text}: it has no room for a gateway and a task`);
  }
  return subnet;
}

/** A configuration without a subnet gets one of the default pools; there can be one of a family. */
function freeSubnet(tx: ReadTx, config: IPAMConfig, taken: readonly Subnet[]): Subnet {
  const family = config.family === IPFamily.IPV6 ? 6 : 4;
  if (taken.some((subnet) => subnet.family === family)) {
    throw invalidRequest('a network with several subnets must name each of them');
  }
  return nextSubnet(tx, family);
}

function complete(config: IPAMConfig | undefined, subnet: Subnet): IPAMConfig {
  const gateway = config?.gateway || formatIp({ family: subnet.family, value: subnet.first + 1n });
  refuseOutside('gateway', gateway, subnet);
  for (const address of Object.values(config?.reserved ?? {})) {
    refuseOutside('reserved address', address, subnet);
  }
  return {
    family: subnet.family === 4 ? IPFamily.IPV4 : IPFamily.IPV6,
    subnet: formatSubnet(subnet),
    range: config?.range ? checkedRange(config.range, subnet) : '',
    gateway,
    reserved: { ...config?.reserved },
  };
}

function refuseOutside(what: string, address: string, subnet: Subnet): void {
  const ip = parseIp(address);
  if (!ip) throw invalidRequest(`invalid ${what} ${address}: it is not an address`);
  if (!contains(subnet, ip)) {
    throw invalidRequest(`invalid ${what} ${address}: it is not in subnet ${formatSubnet(subnet)}`);
  }
}

function checkedRange(text: string, subnet: Subnet): string {
  const range = parseSubnet(text);
  if (!range) throw invalidRequest(`invalid ip-range ${text}: it must be an address and a length`);
  const inside = range.family === subnet.family;
  if (!inside || range.first < subnet.first || range.last > subnet.last) {
    throw invalidRequest(`invalid ip-range ${text}: it is not in subnet ${formatSubnet(subnet)}`);
  }
  return formatSubnet(range);
}
