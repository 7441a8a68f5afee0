import { Endpoint, Network } from '../../proto/gen/swarm/objects.ts';
import { TaskSpec } from '../../proto/gen/swarm/specs.ts';
import { Annotations } from '../../proto/gen/swarm/types.ts';

/** Bytes of encoded values that one generation of an `Interner` remembers. */
const GENERATION_BYTES = 4 * 1024 * 1024;

/**
 * Encodings of values that are part of many objects. Values of the store never change, so neither do
 * these; they go with their values.
 */
const encodings = new WeakMap<object, Uint8Array>();

/** What is remembered of `value`, or what `encode` makes of it, which is then remembered. */
export function encodingOf<T extends object>(value: T, encode: (value: T) => Uint8Array) {
  const known = encodings.get(value);
  if (known) return known;
  const bytes = encode(value);
  encodings.set(value, bytes);
  return bytes;
}

/** Undefined for a value that was never decoded as a shared part. */
export function knownEncodingOf(value: object): Uint8Array | undefined {
  return encodings.get(value);
}

/**
 * Gives the same value for the same bytes. What was not asked for lately is forgotten, so that it
 * holds no more than two generations of what nobody else needs any more.
 */
export class Interner<T extends object> {
  readonly #decode: (bytes: Uint8Array) => T;
  #young = new Map<string, T>();
  #old = new Map<string, T>();
  #youngBytes = 0;

  constructor(decode: (bytes: Uint8Array) => T) {
    this.#decode = decode;
  }

  get(bytes: Uint8Array): T {
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    const known = this.#young.get(key);
    if (known) return known;
    const value = this.#old.get(key) ?? this.#decoded(bytes);
    this.#young.set(key, value);
    this.#youngBytes += bytes.length;
    if (this.#youngBytes > GENERATION_BYTES) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    return value;
  }

  #decoded(bytes: Uint8Array): T {
    // A copy: the bytes may be a small part of something large.
    const own = Uint8Array.prototype.slice.call(bytes);
    const value = this.#decode(own);
    encodings.set(value, own);
    return value;
  }
}

/**
 * The values that many tasks have in common: all tasks of a service have its template, and all that
 * are attached to a network have a copy of it. They are most of a task, so a task that is decoded shares
 * them with others: that takes a fifth of the memory, and of the time.
 */
export class SharedParts {
  readonly specs = new Interner<TaskSpec>((bytes) => TaskSpec.decode(bytes));
  readonly annotations = new Interner<Annotations>((bytes) => Annotations.decode(bytes));
  readonly endpoints = new Interner<Endpoint>((bytes) => Endpoint.decode(bytes));
  readonly networks = new Interner<Network>((bytes) => Network.decode(bytes));
}
