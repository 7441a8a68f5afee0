/** A configuration rebuilt from its durable form. */

import type { ProgressTracker } from '../tracker/tracker.ts';
import { type ConfChangeSingle, ConfChangeType, type ConfState } from '../types.ts';
import { type Changed, Changer } from './changer.ts';

/**
 * Replays the changes that lead from the empty configuration to `state`. `tracker` must be empty; it is
 * used as the working copy and left with the result.
 */
export function restore(tracker: ProgressTracker, lastIndex: number, state: ConfState): Changed {
  const changer = () => new Changer(tracker, lastIndex);
  const use = (changed: Changed) => tracker.use(changed.config, changed.progress);
  const incoming = incomingChanges(state);
  if (state.votersOutgoing.length === 0) {
    for (const change of incoming) use(changer().simple([change]));
  } else {
    // First the outgoing half alone, one by one, then everything else as the transition.
    for (const id of state.votersOutgoing) {
      use(changer().simple([{ type: ConfChangeType.AddNode, nodeId: id }]));
    }
    use(changer().enterJoint(state.autoLeave, incoming));
  }
  return { config: tracker.config, progress: tracker.progress };
}

/** The outgoing voters are removed first, so that those that go on are re-added in their new role. */
function incomingChanges(state: ConfState): ConfChangeSingle[] {
  const all = (ids: readonly number[], type: ConfChangeType) =>
    ids.map((nodeId) => ({ type, nodeId }));
  return [
    ...all(state.votersOutgoing, ConfChangeType.RemoveNode),
    ...all(state.voters, ConfChangeType.AddNode),
    ...all(state.learners, ConfChangeType.AddLearnerNode),
    // These become learnersNext, being voters of the outgoing half.
    ...all(state.learnersNext, ConfChangeType.AddLearnerNode),
  ];
}

/** Do two states name the same configuration, whatever the order of their ids? */
export function isSameConfState(a: ConfState, b: ConfState): boolean {
  const same = (x: readonly number[], y: readonly number[]) =>
    x.length === y.length && x.every((id) => y.includes(id));
  return (
    same(a.voters, b.voters) &&
    same(a.learners, b.learners) &&
    same(a.votersOutgoing, b.votersOutgoing) &&
    same(a.learnersNext, b.learnersNext) &&
    a.autoLeave === b.autoLeave
  );
}
