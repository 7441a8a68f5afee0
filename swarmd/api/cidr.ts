import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

export interface Cidr {
  readonly address: Address;
  readonly length: number;
}

export function parseAddress(text: string): Address | undefined {
  const valid = ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);
  return valid ? ipaddr.parse(text) : undefined;
}

/** Address and prefix length; undefined unless `text` has both. */
export function parseCidr(text: string): Cidr | undefined {
  const [ip = '', bits = '', ...rest] = text.split('/');
  const address = parseAddress(ip);
  const length = /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  const longest = address?.kind() === 'ipv6' ? 128 : 32;
  if (!address || rest.length > 0 || !(length <= longest)) return undefined;
  return { address, length };
}

/** The first address of the subnet, as CIDR. */
export function networkOf({ address, length }: Cidr): string {
  const bytes = address.toByteArray();
  const masked = bytes.map((byte, i) => {
    const kept = Math.min(Math.max(length - i * 8, 0), 8);
    return byte & (0xff << (8 - kept)) & 0xff;
  });
  return `${ipaddr.fromByteArray(masked).toString()}/${length}`;
}

export function contains(subnet: Cidr, address: Address): boolean {
  if (subnet.address.kind() !== address.kind()) return false;
  return subnet.address.kind() === 'ipv4'
    ? (address as ipaddr.IPv4).match(subnet.address as ipaddr.IPv4, subnet.length)
    : (address as ipaddr.IPv6).match(subnet.address as ipaddr.IPv6, subnet.length);
}
