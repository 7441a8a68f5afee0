/**
 * What must hold for a node between any two calls, and from one call to a later one. For tests and
 * simulations: it walks over everything.
 */

import { checkConfig } from './confchange/check.ts';
import type { Raft } from './core/raft.ts';
import { requiresDurability } from './message.ts';
import type { RawNode } from './raw-node.ts';
import type { Progress } from './tracker/progress.ts';
import { StateType } from './types.ts';

/** What a node must stand by. */
interface Past {
  readonly term: number;
  readonly vote: number;
  readonly lead: number;
  readonly isLeader: boolean;
  readonly last: number;
  readonly committed: number;
  readonly applied: number;
}

/** As of the last assertion. A node that comes up again is another one here, and may know less. */
const PAST = new WeakMap<Raft, Past>();

/**
 * Throws an Error that names the first invariant that does not hold. What is not to be taken back (term,
 * vote, commit index, a leader's log) is compared with the state at the last call for the same node.
 */
export function assertInvariants(node: RawNode): void {
  const r = node.raft;
  const past = PAST.get(r);
  if (past !== undefined) assertProgression(r, past);
  PAST.set(r, presentOf(r));
  assertLog(r);
  assertRole(r);
  checkConfig(r.tracker.config, r.tracker.progress);
  for (const [id, progress] of r.tracker.progress) assertProgress(r, id, progress);
  for (const m of r.messages) {
    must(
      r,
      !requiresDurability(m.type),
      `message ${m.type} would leave before the write it rests on`,
    );
  }
}

function presentOf(r: Raft): Past {
  const { committed, applied } = r.log;
  const { term, vote, lead, isLeader } = r;
  return { term, vote, lead, isLeader, last: r.log.lastIndex(), committed, applied };
}

function assertProgression(r: Raft, past: Past): void {
  const { committed, applied } = r.log;
  must(r, r.term >= past.term, `term ${r.term} after ${past.term}`);
  must(r, committed >= past.committed, `committed ${committed} after ${past.committed}`);
  must(r, applied >= past.applied, `applied ${applied} after ${past.applied}`);
  if (r.term > past.term) return;
  must(r, past.vote === 0 || r.vote === past.vote, `vote ${r.vote} after ${past.vote}`);
  const isSameLead = past.lead === 0 || r.lead === 0 || r.lead === past.lead;
  must(r, isSameLead, `leader ${r.lead} after ${past.lead} in term ${r.term}`);
  if (!r.isLeader || !past.isLeader) return;
  must(r, r.log.lastIndex() >= past.last, `a leader's log ends at ${r.log.lastIndex()}`);
  // Entries of former terms are committed only together with one of the own (Raft 5.4.2).
  const isOwn = committed === past.committed || r.log.termOrZero(committed) === r.term;
  must(r, isOwn, `commits entry ${committed} of term ${r.log.termOrZero(committed)}`);
}

function assertRole(r: Raft): void {
  must(r, r.vote === 0 || r.term > 0, 'a vote without a term');
  must(r, !r.isLeader || r.lead === r.id, 'a leader that follows another');
  must(r, r.isLeader || r.lead !== r.id, 'leads, but is no leader');
  must(r, r.state !== StateType.Candidate || r.vote === r.id, 'a candidate without its own vote');
  must(r, r.isLeader || r.leadTransferee === 0, 'hands over what it does not have');
  const waiting = r.reads.waiting + r.readsBeforeCommit.length;
  must(r, r.isLeader || waiting === 0, `${waiting} reads wait at a node that cannot answer`);
  must(r, !r.isLeader || r.termStart <= r.log.lastIndex(), 'a leader without an entry of its term');
  must(r, r.pendingConfIndex <= r.log.lastIndex(), `pending change ${r.pendingConfIndex}`);
  must(r, r.uncommittedSize >= 0, `uncommitted size ${r.uncommittedSize}`);
}

function assertLog(r: Raft): void {
  const { applied, applying, committed, unstable } = r.log;
  must(r, applied <= applying, `applied ${applied} > applying ${applying}`);
  must(r, applying <= committed, `applying ${applying} > committed ${committed}`);
  must(r, committed <= r.log.lastIndex(), `committed ${committed} > last ${r.log.lastIndex()}`);
  const end = unstable.offset + unstable.entries.length;
  must(r, unstable.offset <= unstable.offsetInProgress, 'unstable.offset > offsetInProgress');
  must(r, unstable.offsetInProgress <= end, 'unstable.offsetInProgress > end');
  unstable.entries.forEach(({ index }, i) => {
    must(r, index === unstable.offset + i, `unstable entry ${index} is at ${unstable.offset + i}`);
  });
}

function assertProgress(r: Raft, id: number, progress: Progress): void {
  const text = `progress of ${id}: ${progress.describe()}`;
  must(r, 0 <= progress.match && progress.match < progress.next, text);
  // Only a leader's is in use; elsewhere the log may have been cut off since.
  const isPast = r.isLeader && progress.next > r.log.lastIndex() + 1;
  must(r, !isPast || progress.state === 'StateSnapshot', text);
  if (progress.state === 'StateSnapshot') {
    must(r, progress.next === progress.pendingSnapshot + 1, text);
  } else {
    must(r, progress.pendingSnapshot === 0, text);
  }
  const { inflights } = progress;
  must(r, inflights.count > 0 || inflights.bytes === 0, `${text}: bytes in an empty window`);
  must(r, progress.state === 'StateReplicate' || inflights.count === 0, `${text}: window in use`);
}

function must(r: Raft, isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`invariant violated at node ${r.name}: ${what}`);
}
