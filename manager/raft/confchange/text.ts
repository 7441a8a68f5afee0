/** Configuration changes as text: `v1 l2 r3 u4` for voter, learner, remove, update. */

import { ErrDecode } from '../errors.ts';
import { type ConfChangeSingle, ConfChangeType } from '../types.ts';

const LETTERS: Readonly<Record<string, ConfChangeType>> = {
  v: ConfChangeType.AddNode,
  l: ConfChangeType.AddLearnerNode,
  r: ConfChangeType.RemoveNode,
  u: ConfChangeType.UpdateNode,
};

/** `v1 l2 r3`: what `parseConfChanges` reads. */
export function describeConfChanges(changes: readonly ConfChangeSingle[]): string {
  return changes.map(({ type, nodeId }) => `${letterOf(type)}${nodeId}`).join(' ');
}

function letterOf(type: ConfChangeType): string {
  return Object.entries(LETTERS).find(([, each]) => each === type)?.[0] ?? 'unknown';
}

/** Throws ErrDecode. */
export function parseConfChanges(text: string): ConfChangeSingle[] {
  const words = text.split(/\s+/).filter((word) => word !== '');
  return words.map((word) => {
    const match = /^([vlru])(\d+)$/.exec(word);
    if (match === null) {
      throw new ErrDecode(`"${word}" is no configuration change: wanted v, l, r or u and an id`);
    }
    return { type: LETTERS[match[1]!]!, nodeId: Number(match[2]) };
  });
}
