/**
 * What must hold for a node between any two calls. For tests and simulations: it walks over everything.
 */

import { checkConfig } from './confchange/check.ts';
import type { Raft } from './core/raft.ts';
import { requiresDurability } from './message.ts';
import type { RawNode } from './raw-node.ts';
import type { Progress } from './tracker/progress.ts';

/** Throws an Error that names the first invariant that does not hold. */
export function assertInvariants(node: RawNode): void {
  const r = node.raft;
  assertLog(r);
  checkConfig(r.tracker.config, r.tracker.progress);
  for (const [id, progress] of r.tracker.progress) assertProgress(r, id, progress);
  for (const m of r.messages) {
    must(
      r,
      !requiresDurability(m.type),
      `message ${m.type} would leave before the write it rests on`,
    );
  }
  must(r, r.vote === 0 || r.term > 0, 'a vote without a term');
  must(r, !r.isLeader || r.lead === r.id, 'a leader that follows another');
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
