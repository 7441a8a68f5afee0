import type { Random } from '../../common/random.ts';

const RENEW_FROM = 0.5;
const RENEW_UNTIL = 0.8;
const BACKOFF_BASE_MS = 5_000;
const BACKOFF_MAX_MS = 3_600_000;

/**
 * Milliseconds from `now` until a certificate is renewed: a uniformly random point in 50-80 % of its
 * validity, so that the nodes of a cluster do not ask all at once; 0 when that point has passed.
 */
export function renewalDelay(
  validity: { readonly notBefore: number; readonly notAfter: number },
  now: number,
  random: Random,
): number {
  const share = RENEW_FROM + random.float() * (RENEW_UNTIL - RENEW_FROM);
  const due = validity.notBefore + share * (validity.notAfter - validity.notBefore);
  return Math.max(0, due - now);
}

/**
 * Milliseconds until the next try after `failures` failed renewals (at least 1): exponential from
 * 5 s up to one hour, with full jitter in the upper half.
 */
export function retryDelay(failures: number, random: Random): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** (failures - 1));
  return ceiling * (0.5 + random.float() / 2);
}
