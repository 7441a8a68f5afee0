import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An address as a number, so that "the next one" is an addition. */
export interface Ip {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** All addresses from `first` to `last`, which share their first `prefix` bits. */
export interface Subnet {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
  readonly prefix: number;
}

/** Undefined unless `text` is a plain IPv4 or IPv6 address. */
export function parseIp(text: string): Ip | undefined {
  const family = isIP(text);
  if (family !== 4 && family !== 6) return undefined;
  const bytes = Buffer.from(ipaddr.parse(text).toByteArray());
  return { family, value: BigInt(`0x${bytes.toString('hex')}`) };
}

export function formatIp({ family, value }: Ip): string {
  const size = family === 4 ? 4 : 16;
  const bytes = Buffer.from(value.toString(16).padStart(size * 2, '0'), 'hex');
  return family === 4 ? bytes.join('.') : ipaddr.fromByteArray([...bytes]).toString();
}

/** Undefined unless `text` is `<address>/<prefix>`; bits after the prefix are cleared. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = '', length = '', ...more] = text.split('/');
  const ip = parseIp(address);
  const prefix = Number(length);
  if (!ip || more.length > 0 || !/^\d+$/.test(length) || prefix > bitsOf(ip.family)) {
    return undefined;
  }
  return subnetAt(ip, prefix);
}

/** The subnet of `prefix` bits that `ip` is in. */
export function subnetAt({ family, value }: Ip, prefix: number): Subnet {
  const size = subnetSize(family, prefix);
  const first = value - (value % size);
  return { family, first, last: first + size - 1n, prefix };
}

export function formatSubnet({ family, first, prefix }: Subnet): string {
  return `${formatIp({ family, value: first })}/${prefix}`;
}

/** Number of addresses. */
export function subnetSize(family: 4 | 6, prefix: number): bigint {
  return 1n << BigInt(bitsOf(family) - prefix);
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

export function contains(subnet: Subnet, ip: Ip): boolean {
  return subnet.family === ip.family && subnet.first <= ip.value && ip.value <= subnet.last;
}

function bitsOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}
