/** Configuration changes as text: `v1 l2 r3 u4` for voter, learner, remove, update. */

import { ErrDecode } from '../errors.ts';
import { type ConfChangeSingle, ConfChangeType } from '../types.ts';

const LETTERS: Readonly<Record<ConfChangeType, string>> = {
  [ConfChangeType.AddNode]: 'v',
  [ConfChangeType.AddLearnerNode]: 'l',
  [ConfChangeType.RemoveNode]: 'r',
  [ConfChangeType.UpdateNode]: 'u',
};

/** `v1 l2 r3`: what `parseConfChanges` reads. */
export function describeConfChanges(changes: readonly ConfChangeSingle[]): string {
  return changes.map(({ type, nodeId }) => `${LETTERS[type]}${nodeId}`).join(' ');
}

/** Throws ErrDecode. */
export function parseConfChanges(text: string): ConfChangeSingle[] {
  const words = text.split(/\s+/).filter((word) => word !== '');
  return words.map((word) => {
    const type = Object.values(ConfChangeType).find((each) => LETTERS[each] === word[0]);
    const nodeId = Number(/^.(\d+)$/.exec(word)?.[1]);
    if (type === undefined || !Number.isSafeInteger(nodeId)) {
      throw new ErrDecode(`"${word}" is no configuration change: wanted v, l, r or u and an id`);
    }
    return { type, nodeId };
  });
}
