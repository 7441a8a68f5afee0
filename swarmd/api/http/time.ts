import { badRequest } from './errors.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * A point in time as clients write it: Unix seconds with or without a fraction, RFC 3339, or a
 * duration before `now` (10m, 1h30m). Milliseconds since the epoch; undefined for '' and '0'.
 */
export function parseTime(text: string, now: number): number | undefined {
  if (text === '' || text === '0') return undefined;
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const duration = parseDuration(text);
  if (duration !== undefined) return now - duration;
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(date)) throw badRequest(`failed to parse value as time or duration: "${text}"`);
  return date;
}

/** A duration such as 300ms, 1.5h or 2h45m, in milliseconds; undefined when `text` is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(amount) * (UNIT_MS[unit as string] as number);
  }
  return total;
}

export const ZERO_TIME = '0001-01-01T00:00:00Z';

/** RFC 3339 as Go prints it: no trailing zeros in the fraction. */
export function rfc3339(time: Date | number | undefined): string {
  if (time === undefined) return ZERO_TIME;
  const text = new Date(time).toISOString();
  return text.replace(/\.?0+Z$/, 'Z');
}
