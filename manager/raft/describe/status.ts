/** A node's status as text. */

import type { Status } from '../types.ts';
import { describeConfState } from './entry.ts';
import { nodeName, stateName } from './names.ts';
import { describeProgress } from './progress.ts';

/**
 *     2 StateLeader Term:3 Vote:2 Commit:14 Applied:14 Lead:2
 *     Voters:[1 2 3] VotersOutgoing:[] Learners:[] LearnersNext:[] AutoLeave:false
 *     1: StateReplicate match=14 next=15
 */
export function describeStatus(status: Status): string {
  const { term, vote, commit } = status.hardState;
  const { lead, raftState } = status.softState;
  const lines = [
    `${nodeName(status.id)} ${stateName(raftState)} Term:${term} Vote:${vote} Commit:${commit} ` +
      `Applied:${status.applied} Lead:${lead}`,
    describeConfState(status.confState),
  ];
  if (status.leadTransferee !== 0) lines.push(`transferring to ${nodeName(status.leadTransferee)}`);
  if (status.fault !== undefined) lines.push(`halted: ${status.fault}`);
  for (const each of status.progress) lines.push(`${nodeName(each.id)}: ${describeProgress(each)}`);
  return `${lines.join('\n')}\n`;
}
