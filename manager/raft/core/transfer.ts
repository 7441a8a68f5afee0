/** Handing leadership over to a chosen follower (Raft thesis 3.10). */

import type { Progress } from '../tracker/progress.ts';
import { type Message, MessageType, NONE } from '../types.ts';
import { hex, type Raft } from './raft.ts';
import { sendAppend } from './replicate.ts';
import { maybeLeaveJoint } from './stable.ts';

/** The request names the new leader as its sender. */
export function onTransferLeader(r: Raft, m: Message, progress: Progress): void {
  const to = m.from;
  if (progress.isLearner) {
    r.logger.debug(`${r.name} is learner. Ignored transferring leadership`);
    return;
  }
  if (r.leadTransferee === to) {
    r.logger.info(
      `${r.name} [term ${r.term}] transfer leadership to ${hex(to)} is in progress, ` +
        `ignores request to same node ${hex(to)}`,
    );
    return;
  }
  if (r.leadTransferee !== NONE) {
    r.logger.info(
      `${r.name} [term ${r.term}] abort previous transferring leadership to ${hex(r.leadTransferee)}`,
    );
    r.leadTransferee = NONE;
  }
  if (to === r.id) {
    r.logger.debug(`${r.name} is already leader. Ignored transferring leadership to self`);
    return;
  }
  start(r, to, progress);
}

function start(r: Raft, to: number, progress: Progress): void {
  r.logger.info(`${r.name} [term ${r.term}] starts to transfer leadership to ${hex(to)}`);
  // It has one election timeout, counted from now.
  r.electionElapsed = 0;
  r.leadTransferee = to;
  if (progress.match === r.log.lastIndex()) {
    offer(r, to);
    r.logger.info(
      `${r.name} sends MsgTimeoutNow to ${hex(to)} immediately as ${hex(to)} already has up-to-date log`,
    );
  } else {
    sendAppend(r, to);
  }
}

/** `from` has acknowledged something: if it was to be leader and has everything, now is its time. */
export function continueTransfer(r: Raft, from: number, progress: Progress): void {
  if (from !== r.leadTransferee || progress.match !== r.log.lastIndex()) return;
  r.logger.info(`${r.name} sent MsgTimeoutNow to ${hex(from)} after received MsgAppResp`);
  offer(r, from);
}

function offer(r: Raft, to: number): void {
  r.offeredInTerm = true;
  r.send({ type: MessageType.TimeoutNow, to });
}

/** The time is over: proposals are taken again, also the one that had to wait for it. */
export function giveUpTransfer(r: Raft): void {
  if (r.leadTransferee === NONE) return;
  r.leadTransferee = NONE;
  maybeLeaveJoint(r);
}
