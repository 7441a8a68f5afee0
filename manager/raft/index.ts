/** The public face of raft-ts; README.md says how to use it. */

export type { RawNodeApi } from './api.ts';
export { decodeConfChange, encodeConfChange } from './confchange/codec.ts';
export { asV2, confChangeEntryType } from './confchange/kinds.ts';
export { describeConfChanges, parseConfChanges } from './confchange/text.ts';
export {
  describeConfState,
  describeEntries,
  describeEntry,
  describeSnapshot,
} from './describe/entry.ts';
export { describeMessage } from './describe/message.ts';
export { entryTypeName, messageTypeName, nodeName, stateName } from './describe/names.ts';
export { describeProgress } from './describe/progress.ts';
export { describeHardState, describeReady, describeSoftState } from './describe/ready.ts';
export { describeStatus } from './describe/status.ts';
export { entriesSize, entrySize, isConfChange, NO_LIMIT, payloadSize } from './entry.ts';
export * from './errors.ts';
export { assertInvariants } from './invariants.ts';
export {
  isEmptySnapshot,
  isLocalMessage,
  isResponse,
  isStorageThread,
  type MessageInit,
  message,
  requiresDurability,
} from './message.ts';
export { RawNode } from './raw-node.ts';
export { EMPTY_HARD_STATE, MemoryStorage } from './storage.ts';
export { EMPTY_CONF_STATE } from './tracker/config.ts';
export * from './types.ts';
