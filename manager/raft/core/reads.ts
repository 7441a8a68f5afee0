/**
 * Linearizable reads without log entries (Raft thesis 6.4). The answer to a read is the commit index at
 * the time it came, given once it is certain that the leader was the leader then: by a round of
 * heartbeats ('safe'), or because its lease still runs ('lease-based', which trusts the clocks). Where
 * there is no lease, a round of heartbeats decides in either case.
 */

import { type Message, MessageType, NONE } from '../types.ts';
import type { Raft } from './raft.ts';
import { broadcastHeartbeat, committedInTerm } from './replicate.ts';

/** A request at the leader. */
export function onReadIndex(r: Raft, m: Message): void {
  // A new leader has all committed entries, but does not know yet which of them are committed. That goes
  // for a node alone as well: after a restart its commit index may be an older one.
  if (committedInTerm(r)) confirm(r, m);
  else r.readsBeforeCommit.push(m);
}

/** The first entry of the term was committed. */
export function releaseReads(r: Raft): void {
  if (r.readsBeforeCommit.length === 0 || !committedInTerm(r)) return;
  const reads = r.readsBeforeCommit;
  r.readsBeforeCommit = [];
  for (const m of reads) confirm(r, m);
}

function confirm(r: Raft, m: Message): void {
  if (r.tracker.isOnlyVoter(r.id) || hasLease(r)) {
    answer(r, m, r.log.committed);
    return;
  }
  r.reads.add(m, r.log.committed);
  r.reads.acknowledge(r.id, r.reads.position);
  broadcastHeartbeat(r);
}

/**
 * Nobody else can have been elected, as far as clocks go alike and answers do not travel for long: a
 * quorum was heard from within the last election timeout, and withholds its votes for as long as that.
 * Unless leadership was offered to somebody: for a transfer votes are not withheld, and the offer may be
 * taken up at any later time.
 */
function hasLease(r: Raft): boolean {
  return (
    r.settings.readOnlyOption === 'lease-based' && !r.offeredInTerm && r.tracker.quorumActive()
  );
}

/** Answers the reads that a quorum has confirmed. */
export function confirmReads(r: Raft): void {
  for (const { request, index } of r.reads.takeConfirmed(r.tracker.config.voters)) {
    answer(r, request, index);
  }
}

function answer(r: Raft, m: Message, index: number): void {
  const isOwn = m.from === NONE || m.from === r.id;
  if (isOwn) r.readStates.push({ index, requestCtx: m.entries[0]?.data ?? new Uint8Array(0) });
  else r.send({ type: MessageType.ReadIndexResp, to: m.from, index, entries: m.entries });
}
