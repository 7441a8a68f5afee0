import { describeUsage, type ReadTx, type SubnetUsage } from '../../../manager/index.ts';
import { nonEmptyList } from '../convert/common.ts';

/**
 * `Status` of a network of the swarm: how full each subnet is, in the words of API 1.52, and (ours)
 * the tasks that wait for an address. `verbose` adds who has which address.
 */
export function networkStatus(tx: ReadTx, id: string, verbose: boolean) {
  const network = tx.get('network', id);
  if (!network) return undefined;
  const { subnets, waiting } = describeUsage(tx, network);
  const entries = subnets.map((usage) => [usage.subnet, subnetToApi(usage, verbose)]);
  const tasks = waiting.map(({ taskId, name, reason }) => ({
    TaskID: taskId,
    Name: name,
    Reason: reason,
  }));
  return { IPAM: { Subnets: Object.fromEntries(entries), ...nonEmptyList('Waiting', tasks) } };
}

function subnetToApi(usage: SubnetUsage, verbose: boolean) {
  const addresses = usage.addresses.map(({ address, kind, id, name }) => ({
    Address: address,
    Kind: kind,
    ID: id,
    Name: name,
  }));
  return {
    IPsInUse: usage.used,
    DynamicIPsAvailable: usage.free,
    ...(verbose ? { Addresses: addresses } : {}),
  };
}
