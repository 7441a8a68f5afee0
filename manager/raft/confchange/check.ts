/** The invariants of a configuration and its progress map; a violation is a bug of ours. */

import { isVoter, voterIds } from '../quorum/joint.ts';
import { describeConfig, type TrackerConfig } from '../tracker/config.ts';
import type { ProgressMap } from '../tracker/tracker.ts';

export function checkConfig(config: TrackerConfig, progress: ProgressMap): void {
  const fail = (what: string): never => {
    throw new Error(`bug: ${what} in configuration ${describeConfig(config)}`);
  };
  const { voters, learners, learnersNext, autoLeave } = config;
  const members = new Set([...voterIds(voters), ...learners, ...learnersNext]);
  for (const id of members) if (!progress.has(id)) fail(`no progress for ${id}`);
  for (const id of progress.keys()) {
    if (!members.has(id)) fail(`a progress for ${id}, who is no member,`);
  }
  for (const id of learnersNext) {
    if (!voters.outgoing.includes(id)) fail(`${id} is to be demoted, but is no outgoing voter,`);
    if (progress.get(id)?.isLearner) fail(`${id} is to be demoted, but is a learner already,`);
  }
  for (const id of learners) {
    if (isVoter(voters, id)) fail(`${id} is both learner and voter`);
    if (!progress.get(id)?.isLearner) fail(`${id} is a learner, but not in its progress,`);
  }
  if (autoLeave && voters.outgoing.length === 0) fail('autoleave without a transition');
}
