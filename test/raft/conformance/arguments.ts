/** Reading the arguments of a command. */

import type { Argument } from './data-file.ts';

/** A file asks for something that does not exist, or does not say what it wants. */
export class CommandError extends Error {}

/** Throws if there is an argument with a value that the command does not know: a misspelt one. */
export function checkKeys(args: readonly Argument[], known: readonly string[]): void {
  const unknown = args.find(({ key, values }) => values.length > 0 && !known.includes(key));
  if (unknown === undefined) return;
  throw new CommandError(`unknown argument ${unknown.key}=: wanted one of ${known.join(', ')}`);
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
  throw new CommandError(`${key}=${value}: wanted true or false`);
}

export function numberOf(args: readonly Argument[], key: string): number | undefined {
  const value = singleValueOf(args, key);
  return value === undefined ? undefined : parseNumber(value);
}

export function parseNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new CommandError(`wanted a number, found "${text}"`);
  return Number(text);
}

/** The first positional arguments: one for each name, which is what is said if one is missing. */
export function named(args: readonly Argument[], ...names: readonly string[]): string[] {
  const found = positionals(args);
  if (found.length >= names.length) return found.slice(0, names.length);
  throw new CommandError(`wanted ${names.join(' ')}, found ${found.join(' ') || 'nothing'}`);
}

/** `named`, all of which are numbers. */
export function namedNumbers(args: readonly Argument[], ...names: readonly string[]): number[] {
  return named(args, ...names).map(parseNumber);
}

/** The number `key=` that must be given. */
export function requiredNumber(args: readonly Argument[], key: string): number {
  const value = numberOf(args, key);
  if (value === undefined) throw new CommandError(`${key}= is missing`);
  return value;
}

/** The positional arguments, all of which must be numbers. */
export function numbers(args: readonly Argument[]): number[] {
  return positionals(args).map(parseNumber);
}
