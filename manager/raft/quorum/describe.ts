/** Quorums as text: the acknowledged indexes of the voters as a bar chart, ranked by index. */

import { type JointConfig, voterIds } from './joint.ts';
import type { AckedIndex, MajorityConfig } from './majority.ts';

/**
 *          idx
 *     x>    12    (id=1)
 *     ?      0    (id=2)
 */
export function describeCommitted(config: MajorityConfig, acked: AckedIndex): string {
  if (config.length === 0) return '<empty majority quorum>';
  const bars = rankByIndex(config, acked);
  const size = config.length;
  const lines = config.map((id) => {
    const index = acked(id);
    const rank = bars.get(id)!;
    const bar =
      index === undefined
        ? `?${' '.repeat(size)}`
        : `${'x'.repeat(rank)}>${' '.repeat(size - rank)}`;
    return `${bar} ${String(index ?? 0).padStart(5)}    (id=${id.toString(16)})\n`;
  });
  return `${' '.repeat(size)}    idx\n${lines.join('')}`;
}

export function describeJointCommitted(config: JointConfig, acked: AckedIndex): string {
  return describeCommitted(voterIds(config), acked);
}

/** A voter's rank is the number of voters below it. */
function rankByIndex(config: MajorityConfig, acked: AckedIndex): Map<number, number> {
  const indexOf = (id: number) => acked(id) ?? 0;
  return new Map(
    config.map((id) => [id, config.filter((other) => indexOf(other) < indexOf(id)).length]),
  );
}

/** `(1 2)` or, in a transition, `(1 2)&&(1)`. */
export function describeVoters(config: JointConfig): string {
  const incoming = describeSet(config.incoming);
  return config.outgoing.length === 0 ? incoming : `${incoming}&&${describeSet(config.outgoing)}`;
}

export function describeSet(ids: readonly number[]): string {
  return `(${ids.map((id) => id.toString()).join(' ')})`;
}
