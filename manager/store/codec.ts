import protobuf from 'protobufjs/minimal.js';
import type { Task } from '../../proto/gen/swarm/objects.ts';
import { StoreActionKind, StoreObject } from '../../proto/gen/swarm/store.ts';
import type { Meta, Version } from '../../proto/gen/swarm/types.ts';
import { type AnyObject, emptyObject, hasSpecVersion, unwrap, wrap } from './kinds.ts';
import type { SharedParts } from './shared-parts.ts';
import { decodeTask, encodeTask } from './task-codec.ts';
import type { Kind } from './types.ts';

/** `repeated StoreAction actions = 1` of StoreTransaction, `repeated StoreObject objects = 1` of a chunk. */
const ITEM_TAG = 10;
/** `StoreActionKind action = 1` and `StoreObject target = 2` of StoreAction. */
const ACTION_TAG = 8;
const TARGET_TAG = 18;
/** `Task task = 5` of StoreObject. */
const TASK_TAG = 42;

/** One object's new value, or undefined for its removal. */
export interface Action {
  readonly kind: Kind;
  readonly id: string;
  readonly object: AnyObject | undefined;
}

/**
 * Without the version, which is the index of the entry, and with the version of the spec only where
 * `object` has one: the entry replaces the spec otherwise.
 */
export function encodeAction(kind: Kind, object: AnyObject, isNew: boolean): Uint8Array {
  const { createdAt, updatedAt, specVersion } = object.meta ?? {};
  const meta: Meta = { createdAt, updatedAt, specVersion };
  const action = isNew ? StoreActionKind.CREATE : StoreActionKind.UPDATE;
  return actionOf(action, encodeObject(kind, { ...object, meta }));
}

/** Completes the `meta` of an object that nobody else holds yet, and that the entry at `version` wrote. */
export function atVersion(kind: Kind, object: AnyObject, version: Version): void {
  const specVersion = hasSpecVersion(kind) ? (object.meta?.specVersion ?? version) : undefined;
  Object.assign(object, { meta: { ...object.meta, version, specVersion } });
}

export function encodeRemoval(kind: Kind, id: string): Uint8Array {
  return actionOf(StoreActionKind.REMOVE, encodeObject(kind, emptyObject(kind, id)));
}

/** A `StoreTransaction` from its actions, which are encoded already. */
export function encodeTransaction(actions: Iterable<Uint8Array>): Uint8Array {
  return encodeItems(actions);
}

/** The inverse, with `index` as the version of every object. */
export function decodeTransaction(index: number, data: Uint8Array, shared: SharedParts): Action[] {
  const actions: Action[] = [];
  for (const item of items(data)) {
    const { action, target } = decodeAction(item);
    const known = target && decodeObject(target, shared);
    if (!known) continue;
    const [kind, object] = known;
    const removed = action === StoreActionKind.REMOVE;
    if (!removed) atVersion(kind, object, { index });
    actions.push({ kind, id: object.id, object: removed ? undefined : object });
  }
  return actions;
}

/** Some objects of a snapshot: a `StoreSnapshotChunk`. */
export function encodeObjects(kind: Kind, objects: readonly AnyObject[]): Uint8Array {
  return encodeItems(objects.map((object) => encodeObject(kind, object)));
}

/** The inverse, without the objects of kinds that this version does not know. */
export function* decodeObjects(
  chunk: Uint8Array,
  shared: SharedParts,
): Iterable<[Kind, AnyObject]> {
  for (const item of items(chunk)) {
    const known = decodeObject(item, shared);
    if (known) yield known;
  }
}

/** A `StoreObject`. */
function encodeObject(kind: Kind, object: AnyObject): Uint8Array {
  if (kind !== 'task') return StoreObject.encode(wrap(kind, object)).finish();
  return protobuf.Writer.create()
    .uint32(TASK_TAG)
    .bytes(encodeTask(object as Task))
    .finish();
}

function decodeObject(bytes: Uint8Array, shared: SharedParts): [Kind, AnyObject] | undefined {
  const reader = protobuf.Reader.create(bytes);
  if (bytes.length > 0 && reader.uint32() === TASK_TAG) {
    return ['task', decodeTask(reader.bytes(), shared)];
  }
  // From a copy: what is bytes in an object would keep all of the entry, or of the snapshot, in memory.
  return unwrap(StoreObject.decode(Uint8Array.prototype.slice.call(bytes)));
}

function actionOf(action: StoreActionKind, target: Uint8Array): Uint8Array {
  const writer = protobuf.Writer.create();
  return writer.uint32(ACTION_TAG).int32(action).uint32(TARGET_TAG).bytes(target).finish();
}

function decodeAction(bytes: Uint8Array): { action: number; target: Uint8Array | undefined } {
  const reader = protobuf.Reader.create(bytes);
  let action: number = StoreActionKind.UNKNOWN;
  let target: Uint8Array | undefined;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === ACTION_TAG) action = reader.int32();
    else if (tag === TARGET_TAG) target = reader.bytes();
    else reader.skipType(tag & 7);
  }
  return { action, target };
}

function encodeItems(items: Iterable<Uint8Array>): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const item of items) writer.uint32(ITEM_TAG).bytes(item);
  return writer.finish();
}

function* items(bytes: Uint8Array): Iterable<Uint8Array> {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === ITEM_TAG) yield reader.bytes();
    else reader.skipType(tag & 7);
  }
}
