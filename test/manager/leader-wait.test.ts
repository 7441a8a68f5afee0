import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { waitForNextLeader } from '../../manager/leader-wait.ts';

type LeaderView = Parameters<typeof waitForNextLeader>[0];

/** A manager that knows no leader, for so long already, and hears of one when told. */
function leaderless(leaderlessMs: number) {
  const listeners = new Set<(isLeader: boolean) => void>();
  const listen = (listener: (isLeader: boolean) => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  const view = {
    isLeader: false,
    leaderlessMs,
    leader: () => undefined,
    onMembers: listen,
    onLeadership: listen,
  };
  const elect = () => {
    view.isLeader = true;
    for (const listener of [...listeners]) listener(true);
  };
  return { view: view as LeaderView, elect };
}

const { signal } = new AbortController();

test('an operation waits in the middle of an election', async () => {
  const { view, elect } = leaderless(100);
  const waiting = waitForNextLeader(view, signal);
  await turn();
  elect();
  await waiting;
});

test('without a leader for longer than an election takes it is refused at once', async () => {
  const refused = waitForNextLeader(leaderless(3_000).view, signal);
  const outcome = await Promise.race([
    refused.catch((error) => error.code),
    turn().then(() => 'it waits'),
  ]);
  assert.equal(outcome, 'SWM_NO_LEADER');
});

test('the time that has passed already counts', async () => {
  const keepsAlive = setInterval(() => undefined, 1_000);
  await assert.rejects(waitForNextLeader(leaderless(2_989.5).view, signal), {
    code: 'SWM_NO_LEADER',
  });
  clearInterval(keepsAlive);
});
