import type { FastifyRequest } from 'fastify';
import { badRequest } from './errors.ts';

/** The query string of a request, value by value. A key given twice counts once, the first. */
export class Query {
  readonly #values: Record<string, unknown>;

  constructor(request: FastifyRequest) {
    this.#values = (request.query ?? {}) as Record<string, unknown>;
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined;
  }

  string(key: string): string {
    const value = this.#values[key];
    const first = Array.isArray(value) ? value[0] : value;
    return typeof first === 'string' ? first : '';
  }

  strings(key: string): string[] {
    const value = this.#values[key];
    return (Array.isArray(value) ? value : value === undefined ? [] : [value]) as string[];
  }

  /** As Docker reads flags: anything but nothing, 0, no, false and none is true. */
  flag(key: string): boolean {
    return !['', '0', 'no', 'false', 'none'].includes(this.string(key).trim().toLowerCase());
  }

  integer(key: string): number | undefined {
    const text = this.string(key);
    if (text === '') return undefined;
    if (!/^-?\d{1,15}$/.test(text)) {
      throw badRequest(`invalid value for ${key}: wanted an integer, found "${text}"`);
    }
    return Number(text);
  }

  /** The version of the object that an update starts from. */
  version(kind: string): number {
    const text = this.string('version');
    if (!/^\d{1,15}$/.test(text)) throw badRequest(`invalid ${kind} version '${text}'`);
    return Number(text);
  }
}
