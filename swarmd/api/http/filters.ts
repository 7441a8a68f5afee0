import type { FastifyRequest } from 'fastify';
import { badRequest } from './errors.ts';
import { Query } from './query.ts';

/**
 * The `filters` of a list request: {"label":{"a=b":true}}, or {"label":["a=b"]} from old clients.
 * A key that was not given lets everything pass; several values of one key are alternatives, except
 * labels, which must all be there.
 */
export class Filters {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  /** Throws SWM_INVALID_ARGUMENT on bad JSON and on keys other than `known`. */
  constructor(request: FastifyRequest, known: readonly string[]) {
    this.#values = parse(new Query(request).string('filters'));
    for (const key of this.#values.keys()) {
      if (!known.includes(key)) throw badRequest(`invalid filter '${key}'`);
    }
  }

  has(key: string): boolean {
    return this.values(key).length > 0;
  }

  values(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }

  is(key: string, value: string): boolean {
    return !this.has(key) || this.values(key).includes(value);
  }

  anyOf(key: string, values: readonly string[]): boolean {
    return !this.has(key) || this.values(key).some((wanted) => values.includes(wanted));
  }

  prefix(key: string, value: string): boolean {
    return !this.has(key) || this.values(key).some((wanted) => value.startsWith(wanted));
  }

  /** Container and network names: the value is a regular expression, or a part of the name. */
  pattern(key: string, names: readonly string[]): boolean {
    if (!this.has(key)) return true;
    return this.values(key).some((wanted) => names.some((name) => matches(wanted, name)));
  }

  labels(key: string, labels: Readonly<Record<string, string>>): boolean {
    return this.values(key).every((wanted) => hasLabel(labels, wanted));
  }

  /** `undefined` when the filter is not given. */
  boolean(key: string): boolean | undefined {
    if (!this.has(key)) return undefined;
    const words = this.values(key).map((value) => value.toLowerCase());
    const yes = words.some((word) => word === 'true' || word === '1');
    const no = words.some((word) => word === 'false' || word === '0');
    if (yes === no) throw badRequest(`invalid filter '${key}=${this.values(key).join(',')}'`);
    return yes;
  }
}

/** `name` or `name=value`. */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  if (equals < 0) return Object.hasOwn(labels, wanted);
  const name = wanted.slice(0, equals);
  return Object.hasOwn(labels, name) && labels[name] === wanted.slice(equals + 1);
}

function matches(pattern: string, text: string): boolean {
  if (text.includes(pattern)) return true;
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return false;
  }
}

function parse(text: string): Map<string, readonly string[]> {
  if (text === '') return new Map();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw badRequest(`invalid filter: "${text}" is not JSON`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw badRequest(`invalid filter: "${text}" is not an object`);
  }
  return new Map(Object.entries(json).map(([key, value]) => [key, valuesOf(key, value)]));
}

function valuesOf(key: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest(`invalid filter '${key}'`);
  }
  return Object.keys(value).filter((item) => (value as Record<string, unknown>)[item] !== false);
}
