import type { Consensus } from './consensus/index.ts';
import { noLeader } from './control/index.ts';

/** How long there may have been no leader before operations are refused: elections end sooner. */
const PATIENCE_MS = 3_000;

type LeaderView = Pick<
  Consensus,
  'isLeader' | 'leader' | 'leaderlessMs' | 'onLeadership' | 'onMembers'
>;

/**
 * `waitForLeader` for an operation: in the middle of an election it waits, and when there has been no
 * leader for longer than that takes, it rejects at once.
 */
export async function waitForNextLeader(consensus: LeaderView, signal: AbortSignal): Promise<void> {
  if (hasLeader(consensus)) return;
  const rest = PATIENCE_MS - consensus.leaderlessMs;
  if (rest <= 0) throw noLeader();
  await waitForLeader(consensus, Math.ceil(rest), signal);
}

/**
 * Resolves once there is a leader to write to: this manager, ready to lead, or another one. Rejects
 * with SWM_NO_LEADER after `timeoutMs`, with the reason of `signal` when that comes first.
 */
export async function waitForLeader(
  consensus: LeaderView,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (hasLeader(consensus)) return;
  const timeout = AbortSignal.timeout(timeoutMs);
  const limit = AbortSignal.any([timeout, signal]);
  while (!hasLeader(consensus)) {
    if (signal.aborted) throw signal.reason;
    if (timeout.aborted) throw noLeader();
    await nextChange(consensus, limit);
  }
}

function hasLeader(consensus: LeaderView): boolean {
  if (consensus.isLeader) return true;
  const leader = consensus.leader();
  return leader !== undefined && !leader.self;
}

function nextChange(consensus: LeaderView, limit: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const unsubscribe of subscriptions) unsubscribe();
      limit.removeEventListener('abort', done);
      resolve();
    };
    const subscriptions = [consensus.onMembers(done), consensus.onLeadership(done)];
    limit.addEventListener('abort', done, { once: true });
    if (limit.aborted) done();
  });
}
