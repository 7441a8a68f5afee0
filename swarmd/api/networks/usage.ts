import type { ReadTx } from '../../../manager/index.ts';
import type { Network } from '../../../proto/gen/swarm/objects.ts';
import { TaskState } from '../../../proto/gen/swarm/types.ts';
import { contains, parseAddress, parseCidr } from '../cidr.ts';

/** What is taken of one subnet, in the words of API 1.52's `Status.IPAM.Subnets`. */
export interface SubnetUsage {
  readonly IPsInUse: number;
  readonly DynamicIPsAvailable: number;
}

/** By subnet. Network and broadcast address and the gateway are in use from the start. */
export function addressUsage(tx: ReadTx, network: Network): Record<string, SubnetUsage> {
  const taken = new Set(takenAddresses(tx, network.id).map((cidr) => cidr.split('/')[0] ?? ''));
  const configs = (network.ipam ?? network.spec?.ipam)?.configs ?? [];
  for (const config of configs) {
    for (const address of [config.gateway, ...Object.values(config.reserved)]) {
      if (address) taken.add(address.split('/')[0] ?? '');
    }
  }
  return Object.fromEntries(
    configs.flatMap(({ subnet }) => {
      const usage = usageOf(subnet, taken);
      return usage ? [[subnet, usage]] : [];
    }),
  );
}

function takenAddresses(tx: ReadTx, networkId: string): string[] {
  const ofTasks = tx
    .find('task', { networkId })
    .filter((task) => (task.status?.state ?? TaskState.NEW) <= TaskState.RUNNING)
    .flatMap((task) => task.networks);
  const ofNodes = [...tx.all('node')].flatMap((node) => node.attachments);
  const attached = [...ofTasks, ...ofNodes]
    .filter(({ network }) => network?.id === networkId)
    .flatMap(({ addresses }) => addresses);
  const virtual = [...tx.all('service')]
    .flatMap((service) => service.endpoint?.virtualIps ?? [])
    .filter((vip) => vip.networkId === networkId)
    .map(({ addr }) => addr);
  return [...attached, ...virtual];
}

function usageOf(text: string, taken: ReadonlySet<string>): SubnetUsage | undefined {
  const subnet = parseCidr(text);
  if (!subnet) return undefined;
  const isIpv4 = subnet.address.kind() === 'ipv4';
  const bits = (isIpv4 ? 32 : 128) - subnet.length;
  const size = Math.min(2 ** bits, Number.MAX_SAFE_INTEGER);
  const reserved = isIpv4 && bits > 1 ? 2 : 0;
  const inside = [...taken].filter((address) => {
    const parsed = parseAddress(address);
    return parsed !== undefined && contains(subnet, parsed);
  });
  const used = inside.length + reserved;
  return { IPsInUse: used, DynamicIPsAvailable: Math.max(size - used, 0) };
}
