/**
 * How one configuration follows from another (Raft thesis 4.1 and 4.3). Pure: the tracker given is not
 * touched, the caller puts the result in force. Throws ErrConfChange when a change must not be made.
 */

import { ErrConfChange } from '../errors.ts';
import type { TrackerConfig } from '../tracker/config.ts';
import type { ProgressMap, ProgressTracker } from '../tracker/tracker.ts';
import type { ConfChangeSingle } from '../types.ts';
import { checkConfig } from './check.ts';
import { Draft } from './draft.ts';

export interface Changed {
  readonly config: TrackerConfig;
  readonly progress: ProgressMap;
}

export class Changer {
  readonly #tracker: ProgressTracker;
  readonly #lastIndex: number;

  /** `lastIndex`: the end of the log, where sending to new nodes starts. */
  constructor(tracker: ProgressTracker, lastIndex: number) {
    this.#tracker = tracker;
    this.#lastIndex = lastIndex;
  }

  /** Changes at most one voter, with no transition: old and new majorities always overlap. */
  simple(changes: readonly ConfChangeSingle[]): Changed {
    const draft = this.#draft();
    if (draft.isJoint) throw new ErrConfChange("can't apply simple config change in joint config");
    const before = new Set(draft.incoming);
    applyAll(draft, changes);
    if (symmetricDifference(before, draft.incoming) > 1) {
      throw new ErrConfChange('more than one voter changed without entering joint config');
    }
    return finish(draft);
  }

  /** Starts a transition: the present voters become the outgoing half. */
  enterJoint(autoLeave: boolean, changes: readonly ConfChangeSingle[]): Changed {
    const draft = this.#draft();
    if (draft.isJoint) throw new ErrConfChange('config is already joint');
    // Otherwise adding the first voters would leave an outgoing half that is empty, that is: no
    // transition at all.
    if (draft.incoming.size === 0) {
      throw new ErrConfChange("can't make a zero-voter config joint");
    }
    for (const id of draft.incoming) draft.outgoing.add(id);
    applyAll(draft, changes);
    draft.autoLeave = autoLeave;
    return finish(draft);
  }

  /** Ends a transition: the outgoing half goes, and voters to be demoted become learners. */
  leaveJoint(): Changed {
    const draft = this.#draft();
    if (!draft.isJoint) throw new ErrConfChange("can't leave a non-joint config");
    for (const id of draft.learnersNext) {
      draft.learners.add(id);
      draft.progress.get(id)!.isLearner = true;
    }
    draft.learnersNext.clear();
    for (const id of draft.outgoing) {
      if (!draft.incoming.has(id) && !draft.learners.has(id)) draft.progress.delete(id);
    }
    draft.outgoing.clear();
    draft.autoLeave = false;
    return finish(draft);
  }

  #draft(): Draft {
    checkConfig(this.#tracker.config, this.#tracker.progress);
    return new Draft(this.#tracker, this.#lastIndex);
  }
}

function applyAll(draft: Draft, changes: readonly ConfChangeSingle[]): void {
  for (const change of changes) draft.apply(change);
  if (draft.incoming.size === 0) throw new ErrConfChange('removed all voters');
}

function finish(draft: Draft): Changed {
  const changed = draft.result();
  checkConfig(changed.config, changed.progress);
  return changed;
}

function symmetricDifference(a: ReadonlySet<number>, b: ReadonlySet<number>): number {
  let count = 0;
  for (const id of a) if (!b.has(id)) count++;
  for (const id of b) if (!a.has(id)) count++;
  return count;
}
