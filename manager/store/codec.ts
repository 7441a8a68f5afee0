import protobuf from 'protobufjs/minimal.js';
import { StoreAction, StoreActionKind, StoreTransaction } from '../../proto/gen/swarm/store.ts';
import type { Meta } from '../../proto/gen/swarm/types.ts';
import { type AnyObject, emptyObject, unwrap, wrap } from './kinds.ts';
import type { Kind } from './types.ts';

/** `repeated StoreAction actions = 1`, length-delimited. */
const ACTIONS_TAG = 10;

/** One object's new value, or undefined for its removal. */
export interface Action {
  readonly kind: Kind;
  readonly id: string;
  readonly object: AnyObject | undefined;
}

/** Without the version, which is the index of the entry. */
export function encodeAction(kind: Kind, object: AnyObject, isNew: boolean): Uint8Array {
  const meta: Meta = { createdAt: object.meta?.createdAt, updatedAt: object.meta?.updatedAt };
  const action = isNew ? StoreActionKind.CREATE : StoreActionKind.UPDATE;
  return StoreAction.encode({ action, target: wrap(kind, { ...object, meta }) }).finish();
}

export function encodeRemoval(kind: Kind, id: string): Uint8Array {
  const target = wrap(kind, emptyObject(kind, id));
  return StoreAction.encode({ action: StoreActionKind.REMOVE, target }).finish();
}

/** A `StoreTransaction` from its actions, which are encoded already. */
export function encodeTransaction(actions: Iterable<Uint8Array>): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const action of actions) writer.uint32(ACTIONS_TAG).bytes(action);
  return writer.finish();
}

/** The inverse, with `index` as the version of every object. */
export function decodeTransaction(index: number, data: Uint8Array): Action[] {
  const actions: Action[] = [];
  for (const { action, target } of StoreTransaction.decode(data).actions) {
    const known = unwrap(target);
    if (!known) continue;
    const [kind, object] = known;
    const removed = action === StoreActionKind.REMOVE;
    actions.push({ kind, id: object.id, object: removed ? undefined : versioned(object, index) });
  }
  return actions;
}

/** A freshly decoded object, which nobody else holds yet, at its version. */
function versioned(object: AnyObject, index: number): AnyObject {
  return Object.assign(object, { meta: { ...object.meta, version: { index } } });
}
