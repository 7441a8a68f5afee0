/** Names of types and ids, as they appear in texts. */

import {
  EntryType,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  MessageType,
  NONE,
  StateType,
} from '../types.ts';

const MESSAGE_NAMES = namesOf(MessageType, 'Msg');
const STATE_NAMES = namesOf(StateType, 'State');
const ENTRY_NAMES = namesOf(EntryType, 'Entry');

function namesOf(values: Readonly<Record<string, number>>, prefix: string): string[] {
  const names: string[] = [];
  for (const [name, value] of Object.entries(values)) names[value] = `${prefix}${name}`;
  return names;
}

/** `MsgApp` */
export function messageTypeName(type: MessageType): string {
  return MESSAGE_NAMES[type] ?? `MsgUnknown(${type})`;
}

/** `StateLeader` */
export function stateName(state: StateType): string {
  return STATE_NAMES[state] ?? `StateUnknown(${state})`;
}

/** `EntryNormal` */
export function entryTypeName(type: EntryType): string {
  return ENTRY_NAMES[type] ?? `EntryUnknown(${type})`;
}

/** An id in hexadecimal digits, or the name of what is no node. */
export function nodeName(id: number): string {
  if (id === NONE) return 'None';
  if (id === LOCAL_APPEND_THREAD) return 'AppendThread';
  if (id === LOCAL_APPLY_THREAD) return 'ApplyThread';
  return id.toString(16);
}
