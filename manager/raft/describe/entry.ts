/** Entries and snapshots as text. */

import { decodeConfChange } from '../confchange/codec.ts';
import { asV2 } from '../confchange/kinds.ts';
import { describeConfChanges } from '../confchange/text.ts';
import { payload } from '../entry.ts';
import { ErrDecode } from '../errors.ts';
import { type ConfState, type Entry, EntryType, type Snapshot } from '../types.ts';
import { quote } from './data.ts';
import { entryTypeName } from './names.ts';

/** How the payload of normal entries is shown. */
export type PayloadFormatter = (data: Uint8Array) => string;

/** `1/12 EntryNormal "text"`, `1/13 EntryConfChangeV2 v2 l3` */
export function describeEntry(entry: Entry, format: PayloadFormatter = quote): string {
  const content =
    entry.type === EntryType.Normal ? format(payload(entry)) : describeChangesOf(entry);
  const suffix = content === '' ? '' : ` ${content}`;
  return `${entry.term}/${entry.index} ${entryTypeName(entry.type)}${suffix}`;
}

function describeChangesOf(entry: Entry): string {
  try {
    return describeConfChanges(asV2(decodeConfChange(entry)).changes);
  } catch (error) {
    if (error instanceof ErrDecode) return `undecodable: ${error.message}`;
    throw error;
  }
}

/** One line each. */
export function describeEntries(entries: readonly Entry[], format?: PayloadFormatter): string {
  return entries.map((entry) => `${describeEntry(entry, format)}\n`).join('');
}

/** `Voters:[1 2] VotersOutgoing:[] Learners:[3] LearnersNext:[] AutoLeave:false` */
export function describeConfState(state: ConfState): string {
  const list = (ids: readonly number[]) => `[${ids.join(' ')}]`;
  return (
    `Voters:${list(state.voters)} VotersOutgoing:${list(state.votersOutgoing)} ` +
    `Learners:${list(state.learners)} LearnersNext:${list(state.learnersNext)} ` +
    `AutoLeave:${state.autoLeave}`
  );
}

/** `Index:12 Term:3 ConfState:…` */
export function describeSnapshot({ metadata }: Snapshot): string {
  const { index, term, confState } = metadata;
  return `Index:${index} Term:${term} ConfState:${describeConfState(confState)}`;
}
