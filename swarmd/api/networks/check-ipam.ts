import type { IPAMConfig } from '../../../proto/gen/swarm/types.ts';
import { type Cidr, contains, networkOf, parseAddress, parseCidr } from '../cidr.ts';
import { badRequest } from '../http/errors.ts';

/** Throws SWM_INVALID_ARGUMENT with everything that is wrong with a network's addresses. */
export function checkIpam(configs: readonly IPAMConfig[], enableIpv6: boolean): void {
  const faults = configs.flatMap((config) => faultsOf(config, enableIpv6));
  if (faults.length > 0) throw badRequest(`invalid network config:\n${faults.join('\n')}`);
}

function faultsOf(config: IPAMConfig, enableIpv6: boolean): string[] {
  if (config.subnet === '') {
    const needs = Boolean(config.range || config.gateway || Object.keys(config.reserved).length);
    return needs ? ['invalid subnet : it is needed for an ip-range, a gateway or an address'] : [];
  }
  const subnet = parseCidr(config.subnet);
  if (!subnet) return [`invalid subnet ${config.subnet}: invalid CIDR block notation`];
  if (subnet.address.kind() === 'ipv6' && !enableIpv6) {
    return [`invalid subnet ${config.subnet}: IPv6 has not been enabled for this network`];
  }
  const masked = networkOf(subnet);
  const start = parseCidr(masked);
  return [
    ...(start && start.address.toString() !== subnet.address.toString()
      ? [`invalid subnet ${config.subnet}: it should be ${masked}`]
      : []),
    ...rangeFaults(config.range, config.subnet, subnet),
    ...addressFaults('gateway', config.gateway, config.subnet, subnet),
    ...Object.values(config.reserved).flatMap((address) =>
      addressFaults('auxiliary address', address, config.subnet, subnet),
    ),
  ];
}

function rangeFaults(text: string, parent: string, subnet: Cidr): string[] {
  if (text === '') return [];
  const range = parseCidr(text);
  if (!range) return [`invalid ip-range ${text}: invalid CIDR block notation`];
  if (range.length < subnet.length) {
    return [`invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${parent}`];
  }
  if (!contains(subnet, range.address)) {
    return [`invalid ip-range ${text}: parent subnet ${parent} doesn't contain ip-range`];
  }
  return [];
}

function addressFaults(what: string, text: string, parent: string, subnet: Cidr): string[] {
  if (text === '') return [];
  const address = parseAddress(text);
  if (!address) return [`invalid ${what} ${text}: invalid address`];
  if (contains(subnet, address)) return [];
  return [`invalid ${what} ${text}: parent subnet ${parent} doesn't contain this address`];
}
