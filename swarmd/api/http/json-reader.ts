import { badRequest } from './errors.ts';

/**
 * Reads a JSON object that a client sent, field by field and with the type it must have. `null` is
 * the same as absent. Every getter throws SWM_INVALID_ARGUMENT that names the field.
 */
export class JsonReader {
  readonly #fields: Record<string, unknown>;
  readonly #path: string;

  constructor(fields: Record<string, unknown>, path = '') {
    this.#fields = fields;
    this.#path = path;
  }

  /** The object itself, unchecked. */
  get raw(): Record<string, unknown> {
    return this.#fields;
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }

  string(key: string): string {
    return this.optionalString(key) ?? '';
  }

  optionalString(key: string): string | undefined {
    const value = this.#get(key);
    if (value === undefined || typeof value === 'string') return value;
    return this.#fail(key, 'a string', value);
  }

  boolean(key: string): boolean {
    return this.optionalBoolean(key) ?? false;
  }

  optionalBoolean(key: string): boolean | undefined {
    const value = this.#get(key);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.#fail(key, 'true or false', value);
  }

  /** An integer, negative ones included. */
  integer(key: string): number {
    return this.optionalInteger(key) ?? 0;
  }

  optionalInteger(key: string): number | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 63) {
      return value + 0; // no negative zero
    }
    return this.#fail(key, 'an integer', value);
  }

  /** An integer from 0 up. */
  count(key: string): number {
    return this.optionalCount(key) ?? 0;
  }

  optionalCount(key: string): number | undefined {
    const value = this.optionalInteger(key);
    if (value !== undefined && value < 0) return this.#fail(key, 'an integer from 0 up', value);
    return value;
  }

  number(key: string): number {
    const value = this.#get(key);
    if (value === undefined) return 0;
    if (typeof value === 'number') return value;
    return this.#fail(key, 'a number', value);
  }

  strings(key: string): string[] {
    return this.#list(key).map((item) => {
      if (typeof item === 'string') return item;
      return this.#fail(key, 'a list of strings', item);
    });
  }

  /** As `strings`, and a single string is a list of one. */
  words(key: string): string[] {
    const value = this.#get(key);
    return typeof value === 'string' ? [value] : this.strings(key);
  }

  stringMap(key: string): Record<string, string> {
    const value = this.object(key)?.raw ?? {};
    for (const item of Object.values(value)) {
      if (typeof item !== 'string') this.#fail(key, 'an object with strings', item);
    }
    return { ...value } as Record<string, string>;
  }

  object(key: string): JsonReader | undefined {
    const value = this.#get(key);
    return value === undefined ? undefined : this.#reader(key, value, key);
  }

  objects(key: string): JsonReader[] {
    return this.#list(key).map((item, i) => this.#reader(key, item, `${key}[${i}]`));
  }

  /** Base 64. */
  bytes(key: string): Buffer {
    const text = this.string(key);
    if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text)) this.#fail(key, 'base 64', text);
    return Buffer.from(text, 'base64');
  }

  fail(key: string, wanted: string): never {
    return this.#fail(key, wanted, this.#fields[key]);
  }

  #reader(key: string, value: unknown, name: string): JsonReader {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return this.#fail(key, 'an object', value);
    }
    return new JsonReader(value as Record<string, unknown>, `${this.#path}${name}.`);
  }

  #list(key: string): unknown[] {
    const value = this.#get(key);
    if (value === undefined) return [];
    return Array.isArray(value) ? value : this.#fail(key, 'a list', value);
  }

  #get(key: string): unknown {
    return Object.hasOwn(this.#fields, key) ? (this.#fields[key] ?? undefined) : undefined;
  }

  #fail(key: string, wanted: string, found: unknown): never {
    const shown = (JSON.stringify(found) ?? 'nothing').slice(0, 80);
    throw badRequest(`invalid JSON: ${this.#path}${key} must be ${wanted}, found ${shown}`);
  }
}
