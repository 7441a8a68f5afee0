/**
 * The binary form of configuration changes, as they stand in the data of log entries:
 *
 *   V1   01 | type | id | context
 *   V2   02 | transition | count | count * (type | id) | context
 *
 * `type` and `transition` are one byte, `count` and `id` unsigned LEB128 numbers, the context is the
 * rest. The V2 change that leaves a transition (automatic, no changes, no context) is no bytes at all:
 * it has size 0, so no size limit can refuse it.
 */

import { ErrDecode } from '../errors.ts';
import {
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  type ConfChangeV1,
  type ConfChangeV2,
  type Entry,
  EntryType,
} from '../types.ts';
import { isV2 } from './kinds.ts';

const V1 = 1;
const V2 = 2;

/** The data of the entry for a change. */
export function encodeConfChange(change: ConfChangeV1 | ConfChangeV2): Uint8Array {
  const bytes: number[] = [];
  if (!isV2(change)) {
    bytes.push(V1);
    pushSingle(bytes, change);
  } else if (isBareLeave(change)) {
    return new Uint8Array(0);
  } else {
    bytes.push(V2, change.transition);
    pushNumber(bytes, change.changes.length);
    for (const each of change.changes) pushSingle(bytes, each);
  }
  return Uint8Array.from([...bytes, ...(change.context ?? [])]);
}

/** Throws ErrDecode. */
export function decodeConfChange(entry: Pick<Entry, 'type' | 'data'>): ConfChangeV1 | ConfChangeV2 {
  const reader = new Reader(entry.data ?? new Uint8Array(0));
  if (entry.type === EntryType.ConfChange) {
    reader.expect(V1);
    return { ...reader.single(), context: reader.rest() };
  }
  if (entry.type !== EntryType.ConfChangeV2) {
    throw new ErrDecode('the entry is not a configuration change');
  }
  if (reader.atEnd) return { transition: ConfChangeTransition.Auto, changes: [] };
  reader.expect(V2);
  const transition = reader.oneOf(ConfChangeTransition, 'transition');
  const count = reader.number();
  const changes: ConfChangeSingle[] = [];
  for (let i = 0; i < count; i++) changes.push(reader.single());
  return { transition, changes, context: reader.rest() };
}

function isBareLeave(change: ConfChangeV2): boolean {
  return (
    change.transition === ConfChangeTransition.Auto &&
    change.changes.length === 0 &&
    (change.context === undefined || change.context.length === 0)
  );
}

function pushSingle(bytes: number[], change: ConfChangeSingle): void {
  bytes.push(change.type);
  pushNumber(bytes, change.nodeId);
}

function pushNumber(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    if (this.atEnd) throw new ErrDecode('the configuration change is cut short');
    return this.#bytes[this.#at++]!;
  }

  expect(version: number): void {
    const found = this.byte();
    if (found !== version) {
      throw new ErrDecode(`a configuration change of version ${version} starts with ${found}`);
    }
  }

  number(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) {
        throw new ErrDecode('a number in the configuration change is above 2^53 - 1');
      }
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  oneOf<T extends number>(values: Readonly<Record<string, T>>, name: string): T {
    const found = this.byte();
    const value = Object.values(values).find((each) => each === found);
    if (value === undefined) {
      throw new ErrDecode(`the configuration change has an unknown ${name} ${found}`);
    }
    return value;
  }

  single(): ConfChangeSingle {
    const type = this.oneOf(ConfChangeType, 'type');
    return { type, nodeId: this.number() };
  }

  rest(): Uint8Array | undefined {
    const rest = this.#bytes.slice(this.#at);
    return rest.length === 0 ? undefined : rest;
  }
}
