/** Proposals at the leader. */

import { decodeConfChange } from '../confchange/codec.ts';
import { asV2, isV2 } from '../confchange/kinds.ts';
import { isConfChange } from '../entry.ts';
import { ErrDecode, ErrProposalDropped } from '../errors.ts';
import { describeConfig } from '../tracker/config.ts';
import { type ConfChangeV1, type ConfChangeV2, type Entry, EntryType, NONE } from '../types.ts';
import { appendEntries, type NewEntry } from './append.ts';
import { refusal } from './membership.ts';
import { hex, type Raft } from './raft.ts';
import { broadcastAppend } from './replicate.ts';

/** Appends the entries and sends them on. Throws ErrProposalDropped, and then none is appended. */
export function propose(r: Raft, entries: readonly Entry[]): void {
  if (!r.tracker.progress.has(r.id)) {
    // Removed from the configuration while being leader.
    throw new ErrProposalDropped();
  }
  if (r.leadTransferee !== NONE) {
    r.logger.debug(
      `${r.name} [term ${r.term}] transfer leadership to ${hex(r.leadTransferee)} is in progress; ` +
        'dropping proposal',
    );
    throw new ErrProposalDropped();
  }
  const pendingBefore = r.pendingConfIndex;
  if (!appendEntries(r, admit(r, entries))) {
    r.pendingConfIndex = pendingBefore;
    throw new ErrProposalDropped();
  }
  broadcastAppend(r);
}

/**
 * A configuration change that must not be made now becomes an empty entry. It still takes its place, so
 * that the proposals around it keep theirs.
 */
function admit(r: Raft, entries: readonly Entry[]): readonly NewEntry[] {
  if (!entries.some(isConfChange)) return entries;
  const last = r.log.lastIndex();
  return entries.map((entry, i) => {
    if (!isConfChange(entry)) return entry;
    const change = decodeConfChange(entry);
    const reason = refusal(r, change);
    if (reason === undefined) {
      r.pendingConfIndex = last + i + 1;
      return entry;
    }
    r.logger.info(
      `${r.name} ignoring conf change ${describeChange(change)} ` +
        `at config ${describeConfig(r.tracker.config)}: ${reason}`,
    );
    return { type: EntryType.Normal };
  });
}

/** The leader's own proposal to end a transition. Throws ErrProposalDropped. */
export function proposeLeaveJoint(r: Raft): void {
  propose(r, [{ term: 0, index: 0, type: EntryType.ConfChangeV2 }]);
}

/** Does every configuration change among the entries decode? */
export function areWellFormed(entries: readonly Entry[]): boolean {
  try {
    for (const entry of entries) if (isConfChange(entry)) decodeConfChange(entry);
    return true;
  } catch (error) {
    if (error instanceof ErrDecode) return false;
    throw error;
  }
}

const TYPE_NAMES = [
  'ConfChangeAddNode',
  'ConfChangeRemoveNode',
  'ConfChangeUpdateNode',
  'ConfChangeAddLearnerNode',
];
const TRANSITION_NAMES = ['Auto', 'JointImplicit', 'JointExplicit'];

function describeChange(change: ConfChangeV1 | ConfChangeV2): string {
  const changes = asV2(change).changes.map(
    ({ type, nodeId }) => `type:${TYPE_NAMES[type]} node_id:${nodeId}`,
  );
  if (!isV2(change)) return changes.join('');
  const words = changes.map((each) => `changes:{${each}}`);
  return [`transition:ConfChangeTransition${TRANSITION_NAMES[change.transition]}`, ...words].join(
    ' ',
  );
}
