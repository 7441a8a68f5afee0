/** Reading the arguments of a command. */

import type { Argument } from './data-file.ts';

/** Throws if there is an argument with a value that the command does not know: a misspelt one. */
export function checkKeys(args: readonly Argument[], known: readonly string[]): void {
  const unknown = args.find(({ key, values }) => values.length > 0 && !known.includes(key));
  if (unknown === undefined) return;
  throw new Error(`unknown argument ${unknown.key}=: wanted one of ${known.join(', ')}`);
}

export function positionals(args: readonly Argument[]): string[] {
  return args.filter(({ values }) => values.length === 0).map(({ key }) => key);
}

/** All values of the argument `key`; undefined if it is not given. */
export function valuesOf(args: readonly Argument[], key: string): readonly string[] | undefined {
  const given = args.filter((each) => each.key === key);
  return given.length === 0 ? undefined : given.flatMap(({ values }) => values);
}

export function singleValueOf(args: readonly Argument[], key: string): string | undefined {
  return valuesOf(args, key)?.at(-1);
}

/** The spellings that Go's `strconv.ParseBool` takes, as the files were written for it. */
const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

export function flagOf(args: readonly Argument[], key: string): boolean | undefined {
  const value = singleValueOf(args, key);
  if (value === undefined) return undefined;
  if (TRUE.has(value)) return true;
  if (FALSE.has(value)) return false;
  throw new Error(`${key}=${value}: wanted true or false`);
}

export function numberOf(args: readonly Argument[], key: string): number | undefined {
  const value = singleValueOf(args, key);
  return value === undefined ? undefined : parseNumber(value);
}

export function parseNumber(text: string | undefined): number {
  if (text === undefined || !/^\d+$/.test(text))
    throw new Error(`wanted a number, found "${text}"`);
  return Number(text);
}

/** The positional arguments, all of which must be numbers. */
export function numbers(args: readonly Argument[]): number[] {
  return positionals(args).map(parseNumber);
}
