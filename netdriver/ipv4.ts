/** IPv4 arithmetic on unsigned 32-bit numbers; texts are dotted quads and CIDR. */
export interface Cidr {
  /** The address as written, host bits included. */
  readonly ip: number;
  readonly prefix: number;
}

export function parseIp(text: string): number {
  const parts = text.split('.');
  const bytes = parts.map(Number);
  if (parts.length !== 4 || !bytes.every((byte, i) => isByte(byte, parts[i] ?? ''))) {
    throw new RangeError(`${text} is not an IPv4 address`);
  }
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

export function isIp(text: string): boolean {
  return (
    /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) < 256)
  );
}

export function formatIp(ip: number): string {
  return [24, 16, 8, 0].map((shift) => (ip >>> shift) & 0xff).join('.');
}

/** An address without a prefix is taken as /32. */
export function parseCidr(text: string): Cidr {
  const [address = '', prefixText = '32'] = text.split('/');
  const prefix = Number(prefixText);
  if (!/^\d+$/.test(prefixText) || prefix > 32) throw new RangeError(`${text} is not CIDR`);
  return { ip: parseIp(address), prefix };
}

/** The lowest and the highest address of a subnet. */
export function bounds(cidr: Cidr): { first: number; last: number } {
  const size = 2 ** (32 - cidr.prefix);
  const first = Math.floor(cidr.ip / size) * size;
  return { first, last: first + size - 1 };
}

/** The subnet with its host bits cleared, as text. */
export function subnetOf(text: string): string {
  const cidr = parseCidr(text);
  return `${formatIp(bounds(cidr).first)}/${cidr.prefix}`;
}

export function contains(subnet: string, ip: string): boolean {
  const { first, last } = bounds(parseCidr(subnet));
  const value = parseIp(ip);
  return value >= first && value <= last;
}

export function overlaps(a: string, b: string): boolean {
  const [x, y] = [bounds(parseCidr(a)), bounds(parseCidr(b))];
  return x.first <= y.last && y.first <= x.last;
}

/** The address of a CIDR text. */
export function ipOf(text: string): string {
  return text.split('/')[0] ?? '';
}

export function prefixOf(text: string): number {
  return parseCidr(text).prefix;
}

/** The hardware address of an endpoint: 02:42 and the four bytes of its IPv4 address. */
export function macOf(ip: string): string {
  const bytes = ip.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}

function isByte(value: number, text: string): boolean {
  return /^\d{1,3}$/.test(text) && value <= 255;
}
