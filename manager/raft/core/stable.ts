/** What follows when storage reports entries or a snapshot as durable, or entries as applied. */

import { entriesSize, payloadsSize } from '../entry.ts';
import { ErrProposalDropped } from '../errors.ts';
import { describeConfig } from '../tracker/config.ts';
import type { Message, Snapshot } from '../types.ts';
import { shrinkUncommitted } from './append.ts';
import { proposeLeaveJoint } from './propose.ts';
import type { Raft } from './raft.ts';

/**
 * Entries up to (logTerm, index), and perhaps a snapshot, are durable. The response carries the term in
 * which the write was handed out: in a later term (see `step`) the entries may have been overwritten
 * and restored since, with the overwriting still on its way to disk, so that they are not durable
 * although index and term match.
 */
export function onStorageAppended(r: Raft, m: Message): void {
  if (m.index !== 0) r.log.unstable.stableTo(m.logTerm, m.index);
  if (m.snapshot !== undefined) snapshotApplied(r, m.snapshot);
}

export function onStorageApplied(r: Raft, m: Message): void {
  const last = m.entries.at(-1);
  if (last === undefined) return;
  appliedTo(r, last.index, entriesSize(m.entries));
  shrinkUncommitted(r, payloadsSize(m.entries));
}

export function snapshotApplied(r: Raft, snapshot: Snapshot): void {
  r.log.stableSnapshotTo(snapshot.metadata.index);
  appliedTo(r, snapshot.metadata.index, 0);
}

function appliedTo(r: Raft, index: number, size: number): void {
  r.log.appliedTo(Math.max(index, r.log.applied), size);
  maybeLeaveJoint(r);
}

/** A leader proposes the end of a transition as soon as nothing stands in its way, if it is to. */
export function maybeLeaveJoint(r: Raft): void {
  const { config } = r.tracker;
  if (!config.autoLeave || !r.isLeader || r.log.applied < r.pendingConfIndex) return;
  // No size limit refuses it, for it has no payload, but a transfer of leadership does. Then it is
  // tried again when that is given up, with the next applied entry, or by the next leader.
  try {
    proposeLeaveJoint(r);
    r.logger.info(
      `initiating automatic transition out of joint configuration ${describeConfig(config)}`,
    );
  } catch (error) {
    if (!(error instanceof ErrProposalDropped)) throw error;
    r.logger.debug(
      'not initiating automatic transition out of joint configuration ' +
        `${describeConfig(config)}: ${error.message}`,
    );
  }
}
