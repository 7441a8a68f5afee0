import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { it } from 'node:test';
import type { Status } from 'raft-ts';
import { SwarmError } from '../../../common/errors.ts';
import { Transfer } from '../../../manager/consensus/transfer.ts';

it('the reachable voter with the longest log is to lead', async () => {
  const { transfer, asked, unreachable } = leaderOf([
    { id: 2, match: 7 },
    { id: 3, match: 9 },
    { id: 4, match: 10, isLearner: true },
    { id: 5, match: 9 },
  ]);
  const refused = assert.rejects(transfer.start(), { code: 'SWM_UNAVAILABLE' });
  assert.deepEqual(asked, [3]);
  transfer.check();
  await refused;
  unreachable.add(3).add(5);
  void transfer.start();
  assert.deepEqual(asked, [3, 2]);
});

it('the transfer ends for all that wait for it, once', async () => {
  const { transfer, leader } = leaderOf([{ id: 2, match: 7 }]);
  leader.transferee = 2;
  const waiting = [transfer.start(), transfer.start()];
  transfer.check();
  assert.equal(transfer.active, true, 'under way');
  leader.leads = false;
  transfer.check();
  await Promise.all(waiting);
  assert.equal(transfer.active, false);
});

it('who waits no longer is forgotten, and the signal is left as it was', async () => {
  const { transfer, leader } = leaderOf([{ id: 2, match: 7 }]);
  leader.transferee = 2;
  const abort = new AbortController();
  const listeners = () => getEventListeners(abort.signal, 'abort').length;
  const handedOver = transfer.start(abort.signal);
  leader.leads = false;
  transfer.check();
  await handedOver;
  assert.equal(listeners(), 0);

  leader.leads = true;
  const given = transfer.start(abort.signal);
  abort.abort(new Error('enough'));
  await assert.rejects(given, /enough/);
  assert.equal(transfer.active, true, 'it goes on all the same');
  transfer.close(new SwarmError('SWM_UNAVAILABLE', 'stopping'));
  await assert.rejects(transfer.start(abort.signal), /enough/);
});

interface Follower {
  readonly id: number;
  readonly match: number;
  readonly isLearner?: boolean;
}

function leaderOf(followers: readonly Follower[]) {
  const asked: number[] = [];
  const unreachable = new Set<number>();
  const leader = { leads: true, transferee: 0 };
  const progress = [{ id: 1, match: 20 }, ...followers];
  const transfer = new Transfer({
    selfId: 1,
    isRaftLeader: () => leader.leads,
    status: () => ({ leadTransferee: leader.transferee, progress }) as unknown as Status,
    isReachable: (id) => !unreachable.has(id),
    transferLeader: (to) => asked.push(to),
  });
  return { transfer, asked, unreachable, leader };
}
