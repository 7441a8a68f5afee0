import { TemplateError } from './lexer.ts';

type Fn = (...args: unknown[]) => unknown;

/** Go's notion: false, 0, nil, and empty strings, arrays and maps are false. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** As Go prints values: `[a b]`, `map[a:1 b:2]`. */
export function formatValue(value: unknown): string {
  if (value === undefined || value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(formatValue).join(' ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, item]) => `${key}:${formatValue(item)}`).join(' ')}]`;
  }
  return String(value);
}

function size(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length;
  throw new TemplateError(`len of ${formatValue(value)}`);
}

function index(value: unknown, ...keys: unknown[]): unknown {
  return keys.reduce((item, key) => {
    if (Array.isArray(item) && (Number(key) < 0 || Number(key) >= item.length)) {
      throw new TemplateError(`index out of range: ${key}`);
    }
    return (item as Record<string, unknown> | undefined)?.[String(key)];
  }, value);
}

/** printf with %s %d %v %q %t %x %f, widths and `-`. */
function printf(format: unknown, ...args: unknown[]): string {
  const rest = [...args];
  return String(format).replace(
    /%(-?)(\d*)(?:\.(\d+))?([sdvqtxf%])/g,
    (_all, left, width, precision, verb) => {
      if (verb === '%') return '%';
      const text = formatVerb(verb, rest.shift(), precision);
      return left ? text.padEnd(Number(width)) : text.padStart(Number(width));
    },
  );
}

function formatVerb(verb: string, value: unknown, precision: string | undefined): string {
  if (verb === 'q') return JSON.stringify(String(value));
  if (verb === 'x') return Number(value).toString(16);
  if (verb === 'f') return Number(value).toFixed(Number(precision ?? 6));
  return formatValue(value);
}

/** The built-in functions of Go's templates, and those that Docker adds. */
export const builtins: Readonly<Record<string, Fn>> = {
  and: (...args) => args.find((arg) => !isTrue(arg)) ?? args.at(-1),
  or: (...args) => args.find(isTrue) ?? args.at(-1),
  not: (value) => !isTrue(value),
  eq: (value, ...others) => others.some((other) => other === value),
  ne: (a, b) => a !== b,
  lt: (a, b) => (a as number) < (b as number),
  le: (a, b) => (a as number) <= (b as number),
  gt: (a, b) => (a as number) > (b as number),
  ge: (a, b) => (a as number) >= (b as number),
  len: size,
  index,
  slice: (value, ...range) => (value as string).slice(...(range as [number?, number?])),
  print: (...args) => args.map(formatValue).join(''),
  println: (...args) => `${args.map(formatValue).join(' ')}\n`,
  printf,
  json: (value) => JSON.stringify(value ?? null),
  join: (list, separator) => (Array.isArray(list) ? list : []).join(String(separator ?? '')),
  split: (text, separator) => String(text).split(String(separator)),
  lower: (text) => String(text).toLowerCase(),
  upper: (text) => String(text).toUpperCase(),
  title: (text) => String(text).replace(/\b\w/g, (letter) => letter.toUpperCase()),
  pad: (text, before, after) =>
    text === '' ? '' : `${' '.repeat(Number(before))}${text}${' '.repeat(Number(after))}`,
  truncate: (text, length) => String(text).slice(0, Number(length)),
};
