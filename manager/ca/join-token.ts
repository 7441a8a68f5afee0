import { timingSafeEqual } from 'node:crypto';
import { SwarmError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';

const PREFIX = 'SWMTKN-1-';
const DIGEST_BYTES = 32;
const DIGEST_CHARS = 50;
const SECRET_BYTES = 16;
const SECRET_CHARS = 25;
const PATTERN = new RegExp(`^SWMTKN-1-([0-9a-z]{${DIGEST_CHARS}})-([0-9a-z]{${SECRET_CHARS}})$`);

export interface JoinToken {
  /** SHA-256 of the root certificate, 32 bytes. */
  readonly rootDigest: Buffer;
  /** 25 characters of base 36. */
  readonly secret: string;
}

/** A new token for a cluster whose root has `rootDigest`. */
export function generateJoinToken(rootDigest: Uint8Array, random: Random): string {
  const digest = toBase36(rootDigest).padStart(DIGEST_CHARS, '0');
  const secret = toBase36(random.bytes(SECRET_BYTES)).padStart(SECRET_CHARS, '0');
  return `${PREFIX}${digest}-${secret}`;
}

/** Throws SWM_INVALID_ARGUMENT ("invalid join token") on anything but a whole, in-range token. */
export function parseJoinToken(token: string): JoinToken {
  const match = PATTERN.exec(token.trim());
  const digest = match && base36ToBigInt(match[1] as string);
  if (!match || digest === null || digest >= 1n << BigInt(DIGEST_BYTES * 8)) {
    throw new SwarmError('SWM_INVALID_ARGUMENT', 'invalid join token', {
      hint: 'A join token looks like SWMTKN-1-<50 characters>-<25 characters>; "swarmctl join-token worker" on a manager prints it.',
    });
  }
  const hex = digest.toString(16).padStart(DIGEST_BYTES * 2, '0');
  return { rootDigest: Buffer.from(hex, 'hex'), secret: match[2] as string };
}

/** Equality that takes the same time wherever two texts differ. */
export function constantTimeEqual(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

function toBase36(bytes: Uint8Array): string {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`).toString(36);
}

function base36ToBigInt(text: string): bigint {
  let value = 0n;
  for (const char of text) value = value * 36n + BigInt(Number.parseInt(char, 36));
  return value;
}
