import { X509Certificate } from 'node:crypto';
import { SwarmError } from '../../common/errors.ts';

/** Clocks may be this far apart before it is worth a warning. */
export const SKEW_WARNING_MS = 120_000;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The time here and at a manager, as of the same moment; milliseconds since the epoch. */
export interface Clocks {
  readonly ours: number;
  readonly theirs: number;
  /** The manager's address, for people. */
  readonly remote: string;
}

/** Milliseconds since the epoch. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Of the first certificate in `pem`. */
export function validityOf(pem: string | Buffer): Validity {
  const { validFrom, validTo } = new X509Certificate(pem);
  return { notBefore: Date.parse(validFrom), notAfter: Date.parse(validTo) };
}

/** A warning about clocks that differ, but not so much that nothing works; else undefined. */
export function skewWarning({ ours, theirs, remote }: Clocks): string | undefined {
  const skewMs = ours - theirs;
  if (Math.abs(skewMs) < SKEW_WARNING_MS) return undefined;
  return `the clock of this machine is ${formatDifference(skewMs)} ${skewMs > 0 ? 'ahead of' : 'behind'} that of the manager at ${remote}; certificates need clocks that agree`;
}

/**
 * Throws SWM_FAILED_PRECONDITION unless `what`, a certificate, is valid by the clock of this machine.
 * The message has both clocks, both ends of the validity, and how far they are from each other.
 */
export function requireValid(
  what: string,
  { notBefore, notAfter }: Validity,
  clocks: Clocks,
): void {
  const { ours, theirs, remote } = clocks;
  if (ours >= notBefore && ours <= notAfter) return;
  const early = ours < notBefore;
  const off = formatDifference(early ? notBefore - ours : ours - notAfter);
  const range = Number.isFinite(notAfter)
    ? `valid from ${iso(notBefore)} until ${iso(notAfter)}`
    : `valid from ${iso(notBefore)}`;
  const skew = formatDifference(ours - theirs);
  const relation = ours > theirs ? 'ahead of' : 'behind';
  throw new SwarmError(
    'SWM_FAILED_PRECONDITION',
    `${what} is ${range}, and the clock of this machine says ${iso(ours)}: ${off} too ${early ? 'early' : 'late'}. ` +
      `It is ${skew} ${relation} that of the manager at ${remote}, which says ${iso(theirs)}`,
    { hint: 'Set the clocks of both machines, for instance with NTP, and join again.' },
  );
}

/** `3 days 4 h`, `2 h 5 min`, `40 s`; of either sign. */
export function formatDifference(ms: number): string {
  const size = Math.abs(ms);
  if (size >= DAY_MS) {
    return twoUnits(size, DAY_MS, size < 2 * DAY_MS ? 'day' : 'days', HOUR_MS, 'h');
  }
  if (size >= HOUR_MS) return twoUnits(size, HOUR_MS, 'h', MINUTE_MS, 'min');
  if (size >= MINUTE_MS) return twoUnits(size, MINUTE_MS, 'min', 1000, 's');
  return `${Math.round(size / 1000)} s`;
}

function twoUnits(ms: number, big: number, bigName: string, small: number, name: string): string {
  const rest = Math.floor((ms % big) / small);
  const whole = `${Math.floor(ms / big)} ${bigName}`;
  return rest === 0 ? whole : `${whole} ${rest} ${name}`;
}

function iso(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
