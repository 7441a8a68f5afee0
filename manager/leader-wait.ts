import type { Clock } from '../common/clock.ts';
import { deadline } from '../common/deadline.ts';
import type { Consensus } from './consensus/index.ts';
import { noLeader } from './control/index.ts';

/** How long there may have been no leader before operations are refused: elections end sooner. */
const PATIENCE_MS = 3_000;

type LeaderView = Pick<
  Consensus,
  'isLeader' | 'leader' | 'leaderlessMs' | 'onLeadership' | 'onMembers'
>;

export interface LeaderWaitComponents {
  readonly clock: Clock;
  readonly consensus: LeaderView;
}

/**
 * `waitForLeader` for an operation: in the middle of an election it waits, and when there has been no
 * leader for longer than that takes, it rejects at once.
 */
export async function waitForNextLeader(
  components: LeaderWaitComponents,
  signal: AbortSignal,
): Promise<void> {
  const { consensus } = components;
  if (hasLeader(consensus)) return;
  const rest = PATIENCE_MS - consensus.leaderlessMs;
  if (rest <= 0) throw noLeader();
  await waitForLeader(components, rest, signal);
}

/**
 * Resolves once there is a leader to write to: this manager, ready to lead, or another one. Rejects
 * with SWM_NO_LEADER after `timeoutMs`, with the reason of `signal` when that comes first.
 */
export async function waitForLeader(
  { clock, consensus }: LeaderWaitComponents,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (hasLeader(consensus)) return;
  const limit = deadline(clock, timeoutMs, signal);
  try {
    while (!hasLeader(consensus)) {
      if (signal.aborted) throw signal.reason;
      if (limit.isOver) throw noLeader();
      await nextChange(consensus, limit.signal);
    }
  } finally {
    limit.cancel();
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
