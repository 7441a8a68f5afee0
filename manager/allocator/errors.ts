import { SwarmError } from '../../common/errors.ts';
import type { Network } from '../../proto/gen/swarm/objects.ts';
import { describeNetwork, networkName } from './networks.ts';

/** A request for addresses or ids that can never be met as it is. */
export function invalidRequest(message: string, hint?: string): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', message, hint ? { hint } : {});
}

export function poolOverlap(wanted: string, other: string, network: Network | undefined) {
  const whose = network ? ` of network ${describeNetwork(network)}` : '';
  return invalidRequest(
    'invalid pool request: Pool overlaps with other one on this address space: ' +
      `${wanted} overlaps ${other}${whose}`,
    'Choose another subnet with --subnet, or leave it out.',
  );
}

export function noFreeSubnet(family: 4 | 6, size: number, pools: readonly string[]): SwarmError {
  return new SwarmError(
    'SWM_RESOURCE_EXHAUSTED',
    `could not find an available, non-overlapping IPv${family} address pool among the defaults to ` +
      `assign to the network: no /${size} is free in ${pools.join(', ')}`,
    { hint: 'Name a subnet with --subnet, or remove networks that are not used.' },
  );
}

/** Every address of a network is held by somebody. */
export class AddressesExhausted extends SwarmError {
  readonly networkId: string;

  constructor(network: Network, family: 4 | 6, subnets: readonly string[]) {
    super(
      'SWM_RESOURCE_EXHAUSTED',
      `no available IPv${family} addresses on network ${networkName(network)}: ` +
        `all of ${subnets.join(', ')} are in use`,
      {
        hint: 'Give the network a larger subnet, or attach fewer services, tasks and nodes to it.',
      },
    );
    this.networkId = network.id;
  }
}

export function addressTaken(address: string, network: Network, holder: string): SwarmError {
  return new SwarmError(
    'SWM_CONFLICT',
    `address ${address} on network ${networkName(network)} is already in use by ${holder}`,
  );
}
