/** Messages as text. */

import { isEmptySnapshot } from '../message.ts';
import type { Message } from '../types.ts';
import { describeEntry, describeSnapshot, type PayloadFormatter } from './entry.ts';
import { messageTypeName, nodeName } from './names.ts';

/** `1->2 MsgApp Term:1 Log:1/11 Commit:11 Entries:[1/12 EntryNormal "text"]`, more lines if nested. */
export function describeMessage(m: Message, format?: PayloadFormatter): string {
  return describeIndented('', m, format);
}

function describeIndented(indent: string, m: Message, format?: PayloadFormatter): string {
  let text =
    `${indent}${nodeName(m.from)}->${nodeName(m.to)} ${messageTypeName(m.type)} ` +
    `Term:${m.term} Log:${m.logTerm}/${m.index}`;
  if (m.reject) text += ` Rejected (Hint: ${m.rejectHint})`;
  if (m.commit !== 0) text += ` Commit:${m.commit}`;
  if (m.vote !== 0) text += ` Vote:${m.vote}`;
  text += describeEntriesOf(indent, m, format);
  if (m.snapshot !== undefined && !isEmptySnapshot(m.snapshot)) {
    text += `\n${indent}  Snapshot: ${describeSnapshot(m.snapshot)}`;
  }
  const responses = m.responses ?? [];
  if (responses.length > 0) {
    const lines = responses.map((each) => `\n${describeIndented(`${indent}  `, each, format)}`);
    text += ` Responses:[${lines.join('')}\n${indent}]`;
  }
  return text;
}

function describeEntriesOf(indent: string, m: Message, format?: PayloadFormatter): string {
  if (m.entries.length === 0) return '';
  if (m.entries.length === 1) return ` Entries:[${describeEntry(m.entries[0]!, format)}]`;
  const lines = m.entries.map((entry) => `\n${indent}  ${describeEntry(entry, format)}`);
  return ` Entries:[${lines.join('')}\n${indent}]`;
}
