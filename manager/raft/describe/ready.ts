/** What is to be done, as text. */

import { isEmptySnapshot } from '../message.ts';
import type { HardState, ReadState, Ready, SoftState } from '../types.ts';
import { describeEntries, describeSnapshot, type PayloadFormatter } from './entry.ts';
import { describeMessage } from './message.ts';
import { stateName } from './names.ts';

/** `Ready MustSync=true:` and a line or a titled list for each part, or `<empty Ready>`. */
export function describeReady(ready: Ready, format?: PayloadFormatter): string {
  const { softState, hardState, readStates, entries, snapshot, committedEntries, messages } = ready;
  let text = '';
  if (softState !== undefined) text += `${describeSoftState(softState)}\n`;
  if (hardState !== undefined) text += `HardState ${describeHardState(hardState)}\n`;
  if (readStates.length > 0) text += `ReadStates ${describeReadStates(readStates)}\n`;
  if (entries.length > 0) text += `Entries:\n${describeEntries(entries, format)}`;
  if (snapshot !== undefined && !isEmptySnapshot(snapshot)) {
    text += `Snapshot ${describeSnapshot(snapshot)}\n`;
  }
  if (committedEntries.length > 0) {
    text += `CommittedEntries:\n${describeEntries(committedEntries, format)}`;
  }
  if (messages.length > 0) {
    text += `Messages:\n${messages.map((m) => `${describeMessage(m, format)}\n`).join('')}`;
  }
  return text === '' ? '<empty Ready>' : `Ready MustSync=${ready.mustSync}:\n${text}`;
}

/** `Lead:1 State:StateLeader` */
export function describeSoftState({ lead, raftState }: SoftState): string {
  return `Lead:${lead} State:${stateName(raftState)}`;
}

/** `Term:1 Vote:1 Commit:2`, without the vote if there is none. */
export function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === 0 ? '' : ` Vote:${vote}`} Commit:${commit}`;
}

function describeReadStates(readStates: readonly ReadState[]): string {
  const all = readStates.map(
    ({ index, requestCtx }) => `{${index} [${[...requestCtx].join(' ')}]}`,
  );
  return `[${all.join(' ')}]`;
}
