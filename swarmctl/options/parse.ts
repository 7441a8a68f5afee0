import { InvalidArgumentError } from 'commander';

/** For options that may be given several times. */
export const collect = (value: string, before: readonly string[] = []): string[] => [
  ...before,
  value,
];

/** For options that may be given several times, and whose values are parsed. */
export const collectParsed =
  <T>(parse: (text: string) => T) =>
  (value: string, before: readonly T[] = []): T[] => [...before, parse(value)];

export function parseInteger(value: string): number {
  const number = Number(value);
  if (value.trim() !== '' && Number.isInteger(number)) return number;
  throw new InvalidArgumentError(`"${value}" is not a whole number.`);
}

export function parseCount(value: string): number {
  const number = parseInteger(value);
  if (number >= 0) return number;
  throw new InvalidArgumentError(`"${value}" is below zero.`);
}

export function parseBoolean(value: string): boolean {
  if (['true', '1', 'yes', 'on'].includes(value.toLowerCase())) return true;
  if (['false', '0', 'no', 'off'].includes(value.toLowerCase())) return false;
  throw new InvalidArgumentError(`"${value}" is not true or false.`);
}

export function parseDecimal(value: string): number {
  const number = Number(value);
  if (value.trim() !== '' && Number.isFinite(number)) return number;
  throw new InvalidArgumentError(`"${value}" is not a number.`);
}

const DURATION_NS: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go's notation (1h30m, 500ms) to nanoseconds. */
export function parseDuration(value: string): number {
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (value === '0') return 0;
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== value) {
    throw new InvalidArgumentError(`"${value}" is not a duration such as 90s, 1m30s or 500ms.`);
  }
  return parts.reduce(
    (sum, [, n, unit]) => sum + Number(n) * (DURATION_NS[unit as string] ?? 0),
    0,
  );
}

const BYTE_UNITS = 'bkmgtp';

/** 64m, 1.5g, 512kb, 100 to bytes (powers of 1024). */
export function parseBytes(value: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgtp]?)(?:i?b)?$/i.exec(value);
  if (!match) throw new InvalidArgumentError(`"${value}" is not a size such as 64m or 1g.`);
  const power = Math.max(0, BYTE_UNITS.indexOf((match[2] || 'b').toLowerCase()));
  return Math.floor(Number(match[1]) * 1024 ** power);
}

/** CPUs to the API's nano CPUs. */
export function parseCpus(value: string): number {
  return Math.round(parseDecimal(value) * 1e9);
}

/** `key=value` pairs, `key` alone is `key=`. */
export function toMap(pairs: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries((pairs ?? []).map(splitPair));
}

export function splitPair(pair: string): [string, string] {
  const equals = pair.indexOf('=');
  return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
}

/** Comma-separated `key=value` as in --mount and the long --publish; quotes protect commas. */
export function parseFields(text: string): [string, string][] {
  const fields = text.match(/(?:"(?:[^"]|"")*"|[^,])+/g) ?? [];
  return fields.map((field) => {
    const plain = field.startsWith('"') ? field.slice(1, -1).replace(/""/g, '"') : field;
    const [key, value] = splitPair(plain);
    return [key.trim().toLowerCase(), value];
  });
}

/**
 * A time for the API, in seconds since the epoch: of a date as it is written, or of a duration
 * before `now` (milliseconds). What is neither goes to the server as it is, which explains it.
 */
export function toTimestamp(text: string | undefined, now: number): string | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return text;
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const date = Date.parse(text);
    return Number.isNaN(date) ? text : (date / 1_000).toFixed(9);
  }
  if (!/^[\d.]+(ns|us|µs|ms|s|m|h)/.test(text)) return text;
  return ((now - parseDuration(text) / 1e6) / 1_000).toFixed(9);
}
