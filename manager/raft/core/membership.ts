/** Configuration changes: when they may be proposed, and what happens when one is applied. */

import { type Changed, Changer } from '../confchange/changer.ts';
import { asV2, planOf } from '../confchange/kinds.ts';
import { ErrConfChange } from '../errors.ts';
import { isJoint, isVoter } from '../quorum/joint.ts';
import { confState, describeConfig, type TrackerConfig } from '../tracker/config.ts';
import type { ProgressMap } from '../tracker/tracker.ts';
import { type ConfChangeV1, type ConfChangeV2, type ConfState, NONE } from '../types.ts';
import type { Raft } from './raft.ts';
import { confirmReads } from './reads.ts';
import { broadcastAppend, maybeCommit, maybeSendAppend } from './replicate.ts';
import { becomeFollower } from './roles.ts';

/**
 * Why a change must not enter the log now; undefined if it may. One change at a time: the next may be
 * proposed once the one before is applied, because a configuration is in force from then on. That also
 * makes it certain now whether the change can be applied: the configuration will still be this one.
 */
export function refusal(r: Raft, change: ConfChangeV1 | ConfChangeV2): string | undefined {
  if (r.settings.disableConfChangeValidation) return undefined;
  if (r.pendingConfIndex > r.log.applied) {
    return (
      `possible unapplied conf change at index ${r.pendingConfIndex} ` +
      `(applied to ${r.log.applied})`
    );
  }
  const joint = isJoint(r.tracker.config.voters);
  const v2 = asV2(change);
  if (joint && planOf(v2).kind !== 'leave-joint')
    return 'must transition out of joint config first';
  if (!joint && v2.changes.length === 0) return 'not in joint state; refusing empty conf change';
  try {
    carryOut(r, v2);
    return undefined;
  } catch (error) {
    if (error instanceof ErrConfChange) return error.message;
    throw error;
  }
}

/**
 * Throws ErrConfChange if the change does not fit the configuration: then it must not be applied. One at
 * an `index` that the configuration covers already is left out.
 */
export function applyConfChange(
  r: Raft,
  change: ConfChangeV1 | ConfChangeV2,
  index?: number,
): ConfState {
  if (index !== undefined && index <= r.configIndex) return confState(r.tracker.config);
  const { config, progress } = carryOut(r, asV2(change));
  r.configIndex = index ?? r.configIndex;
  return switchToConfig(r, config, progress);
}

function carryOut(r: Raft, change: ConfChangeV2): Changed {
  const changer = new Changer(r.tracker, r.log.lastIndex());
  const plan = planOf(change);
  switch (plan.kind) {
    case 'leave-joint':
      return changer.leaveJoint();
    case 'enter-joint':
      return changer.enterJoint(plan.autoLeave, plan.changes);
    case 'simple':
      return changer.simple(plan.changes);
  }
}

export function switchToConfig(r: Raft, config: TrackerConfig, progress: ProgressMap): ConfState {
  r.tracker.use(config, progress);
  r.logger.info(`${r.name} switched to configuration ${describeConfig(config)}`);
  const own = r.tracker.progress.get(r.id);
  r.isLearner = own?.isLearner ?? false;
  if (r.isLeader) leadInto(r, config, own === undefined || own.isLearner);
  return confState(config);
}

function leadInto(r: Raft, config: TrackerConfig, isOut: boolean): void {
  if (isOut) {
    // Without this a leader goes on without counting itself (Raft thesis 4.2.2), until it is replaced.
    if (r.settings.stepDownOnRemoval) becomeFollower(r, r.term, NONE);
    return;
  }
  if (maybeCommit(r)) {
    // A smaller quorum may have committed more.
    broadcastAppend(r);
  } else {
    // Whoever is new hears from the leader at once and not only at the next heartbeat.
    for (const id of r.tracker.progress.keys()) {
      if (id !== r.id) maybeSendAppend(r, id, false);
    }
  }
  confirmReads(r);
  if (r.leadTransferee !== NONE && !isVoter(config.voters, r.leadTransferee)) {
    r.leadTransferee = NONE;
  }
}
