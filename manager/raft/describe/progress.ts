/** What a leader knows of one node, as text. */

import type { ProgressStatus } from '../types.ts';

/** `StateReplicate match=11 next=15 paused inflight=3[full]`; marks of the usual state are left out. */
export function describeProgress(progress: ProgressStatus): string {
  const { state, match, next, pendingSnapshot, inflightCount } = progress;
  let text = `${state} match=${match} next=${next}`;
  if (progress.isLearner) text += ' learner';
  if (progress.paused) text += ' paused';
  if (pendingSnapshot > 0) text += ` pendingSnap=${pendingSnapshot}`;
  if (!progress.recentActive) text += ' inactive';
  if (inflightCount > 0) {
    text += ` inflight=${inflightCount}${progress.inflightFull ? '[full]' : ''}`;
  }
  return text;
}
