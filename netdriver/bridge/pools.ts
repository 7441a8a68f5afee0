import { bounds, formatIp, overlaps, parseCidr } from '../ipv4.ts';

/** Where local networks take their subnets from, in this order: base and the size of each piece. */
const LOCAL_POOLS: readonly { base: string; prefix: number }[] = [
  { base: '172.17.0.0/16', prefix: 16 },
  { base: '172.18.0.0/16', prefix: 16 },
  { base: '172.19.0.0/16', prefix: 16 },
  { base: '172.20.0.0/14', prefix: 16 },
  { base: '172.24.0.0/14', prefix: 16 },
  { base: '172.28.0.0/14', prefix: 16 },
  { base: '192.168.0.0/16', prefix: 20 },
];

/** Every subnet of the local pools, in order. */
export function* localSubnets(): Generator<string> {
  for (const { base, prefix } of LOCAL_POOLS) {
    const { first, last } = bounds(parseCidr(base));
    for (let ip = first; ip <= last; ip += 2 ** (32 - prefix)) yield `${formatIp(ip)}/${prefix}`;
  }
}

/** The first that touches nothing of `used`; undefined when there is none left. */
export function nextFreeSubnet(used: readonly string[]): string | undefined {
  for (const subnet of localSubnets()) {
    if (!used.some((other) => overlaps(subnet, other))) return subnet;
  }
  return undefined;
}

/** The lowest free host address of a subnet, or of a range inside it. */
export function nextFreeAddress(
  subnet: string,
  used: ReadonlySet<string>,
  range = subnet,
): string | undefined {
  const whole = bounds(parseCidr(subnet));
  const part = bounds(parseCidr(range));
  // The first address names the subnet and the last one is its broadcast address.
  const first = Math.max(part.first, whole.first + 1);
  const last = Math.min(part.last, whole.last - 1);
  for (let ip = first; ip <= last; ip++) {
    const text = formatIp(ip);
    if (!used.has(text)) return text;
  }
  return undefined;
}

export function defaultGateway(subnet: string): string {
  return formatIp(bounds(parseCidr(subnet)).first + 1);
}
