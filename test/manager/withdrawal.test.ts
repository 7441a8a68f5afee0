import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, systemClock } from '../../common/clock.ts';
import { eventually } from '../support/eventually.ts';
import { BOOTSTRAP, bootstrapNode, enrolNode, joinNode, joinTokens } from './cluster.ts';

test('a manager that became a member before its join failed is none afterwards', async (t) => {
  const first = await bootstrapNode(t);
  await joinNode(t, first);
  const third = await joinNode(t, first);
  const { nodeId } = third.securityConfig.identity;
  await third.manager.stop();
  assert.equal(first.manager.members().length, 3);
  await third.securityConfig.withdraw();
  assert.equal(first.manager.members().length, 2);
  assert.equal(await first.manager.read((tx) => tx.get('node', nodeId)), undefined);
});

test('one that was lost in the middle of its join is forgotten by the leader after a day', async (t) => {
  const { clock, passDay } = longDays();
  const first = await bootstrapNode(t, BOOTSTRAP, clock);
  const { worker } = await joinTokens(first);
  const lost = await enrolNode(t, first, worker);
  const { nodeId } = lost.securityConfig.identity;
  const listed = () => first.manager.readLocal((tx) => tx.get('node', nodeId)) !== undefined;
  assert.equal(listed(), true);
  await eventually(() => {
    passDay();
    assert.equal(listed(), false);
  });
  await assert.rejects(lost.securityConfig.renew(), { message: /was removed from swarm/ });
});

/** The time of this machine, on which timers of a day are set off, and find that it is over. */
function longDays() {
  const DAY_MS = 24 * 3_600_000;
  let passed = 0;
  const days = new Set<() => void>();
  const clock: Clock = {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + passed,
    setTimer: (ms, fn) => {
      if (ms < DAY_MS / 2) return systemClock.setTimer(ms, fn);
      days.add(fn);
      return { cancel: () => days.delete(fn) };
    },
  };
  const passDay = () => {
    if (days.size === 0) return;
    passed += DAY_MS;
    for (const fn of [...days]) {
      days.delete(fn);
      fn();
    }
  };
  return { clock, passDay };
}
