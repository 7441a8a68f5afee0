import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type LeaderWaitComponents, waitForNextLeader } from '../../manager/leader-wait.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

type LeaderView = LeaderWaitComponents['consensus'];

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
  const clock = new VirtualClock();
  const consensus: LeaderView = view;
  return { components: { clock, consensus }, clock, elect };
}

const { signal } = new AbortController();

test('an operation waits in the middle of an election', async () => {
  const { components, elect } = leaderless(100);
  const waiting = waitForNextLeader(components, signal);
  await turn();
  elect();
  await waiting;
});

test('without a leader for longer than an election takes it is refused at once', async () => {
  const refused = waitForNextLeader(leaderless(3_000).components, signal);
  const outcome = await Promise.race([
    refused.catch((error) => error.code),
    turn().then(() => 'it waits'),
  ]);
  assert.equal(outcome, 'SWM_NO_LEADER');
});

test('the time that has passed already counts', async () => {
  const { components, clock } = leaderless(2_000);
  const refused = assert.rejects(waitForNextLeader(components, signal), { code: 'SWM_NO_LEADER' });
  await clock.advance(1_000);
  await refused;
});
