import type { Random } from './random.ts';

const ID_LENGTH = 25;

/** A swarm object's id: 25 characters of lower-case base 36, from 17 random bytes. */
export function newId(random: Random): string {
  return hexToBigInt(random.bytes(17)).toString(36).padStart(ID_LENGTH, '0').slice(-ID_LENGTH);
}

/** A container's or a local network's id: 64 hexadecimal digits. */
export function newHexId(random: Random): string {
  return Buffer.from(random.bytes(32)).toString('hex');
}

function hexToBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}
