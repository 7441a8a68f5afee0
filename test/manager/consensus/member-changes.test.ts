import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EMPTY_CONF_STATE, type Status } from 'raft-ts';
import { SwarmError } from '../../../common/errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import { MemberChanges } from '../../../manager/consensus/member-changes.ts';
import { Membership } from '../../../manager/consensus/membership.ts';
import { RaftMembership } from '../../../proto/gen/swarm/raft.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { settle, VirtualClock } from '../../support/virtual-clock.ts';

const REFUSAL = { code: 'SWM_FAILED_PRECONDITION', message: /would result in a loss of quorum/ };
const [SELF, LEAVING, STAYING, LATER] = [1, 2, 3, 4];

describe('a removal is confirmed', () => {
  it('when a quorum of the others answers, and not before', async () => {
    const bench = leaderOfThree();
    const confirmed = bench.confirm();
    await bench.clock.advance(200);
    assert.deepEqual([bench.called, confirmed.isSettled], [[STAYING], false]);
    bench.answer(STAYING);
    bench.hear(STAYING);
    await bench.clock.advance(50);
    await confirmed.outcome;
    assert.equal(bench.clock.pending, 0);
  });

  it('not by messages that a member sent before it died', async () => {
    const bench = leaderOfThree();
    const confirmed = bench.confirm();
    await settle();
    bench.hear(STAYING);
    await bench.clock.advance(200);
    assert.equal(confirmed.isSettled, false);
    bench.fail(STAYING);
    await bench.clock.advance(50);
    await assert.rejects(confirmed.outcome, REFUSAL);
  });

  it('not by a member that answers calls, and takes no part in Raft any more', async () => {
    const bench = leaderOfThree();
    const confirmed = bench.confirm();
    await settle();
    bench.answer(STAYING);
    await bench.clock.advance(200);
    assert.equal(confirmed.isSettled, false);
    bench.unreachable.add(STAYING);
    await bench.clock.advance(50);
    await assert.rejects(confirmed.outcome, REFUSAL);
  });

  it('not by one that leads no longer', async () => {
    const bench = leaderOfThree();
    const confirmed = bench.confirm();
    await settle();
    bench.leads = false;
    bench.answer(STAYING);
    bench.hear(STAYING);
    await bench.clock.advance(50);
    await assert.rejects(confirmed.outcome, { code: 'SWM_NOT_LEADER' });
  });

  it('also by a member that began to vote meanwhile', async () => {
    const bench = leaderOfThree();
    const confirmed = bench.confirm();
    await settle();
    bench.voters.push(LATER);
    bench.fail(STAYING);
    await bench.clock.advance(50);
    assert.deepEqual(bench.called, [STAYING, LATER]);
    bench.answer(LATER);
    bench.hear(LATER);
    await bench.clock.advance(50);
    await confirmed.outcome;
  });

  it('at once for a member that has no vote', async () => {
    const bench = leaderOfThree();
    await bench.confirm(LATER).outcome;
    assert.deepEqual(bench.called, []);
  });
});

/** All of them are reachable as far as the leader knows, and nobody has answered anything. */
function leaderOfThree() {
  const clock = new VirtualClock();
  const members = [SELF, LEAVING, STAYING, LATER].map((raftId) => ({
    raftId,
    nodeId: `n${raftId}`,
  }));
  const membership = new Membership(RaftMembership.fromPartial({ members }));
  const voters = [SELF, LEAVING, STAYING];
  const unreachable = new Set<number>();
  const heardAt = new Map<number, number>();
  const calls = new Map<string, { resolve(): void; reject(error: Error): void }>();
  const bench = {
    clock,
    voters,
    unreachable,
    leads: true,
    called: [] as number[],
    hear: (id: number) => heardAt.set(id, clock.monotonic() + 1),
    answer: (id: number) => calls.get(`n${id}`)!.resolve(),
    fail: (id: number) => calls.get(`n${id}`)!.reject(new Error('connection refused')),
    confirm(raftId = LEAVING) {
      const confirmed = { outcome: changes.confirmRemoval(raftId), isSettled: false };
      const settled = () => {
        confirmed.isSettled = true;
      };
      confirmed.outcome.then(settled, settled);
      return confirmed;
    },
  };
  const changes = new MemberChanges(
    { clock, random: seededRandom(1), logger: silentLogger, membership },
    {
      self: { raftId: SELF, nodeId: `n${SELF}` },
      checkLeader: () => {
        if (!bench.leads) throw new SwarmError('SWM_NOT_LEADER', 'no longer');
      },
      status: () => ({ confState: { ...EMPTY_CONF_STATE, voters } }) as unknown as Status,
      isReachable: (id) => !unreachable.has(id),
      heardSince: (id, at) => (heardAt.get(id) ?? 0) > at,
      propose: () => assert.fail('nothing is proposed'),
      checkHealth: ({ nodeId }) => {
        bench.called.push(Number(nodeId.slice(1)));
        return new Promise((resolve, reject) => calls.set(nodeId, { resolve, reject }));
      },
      tookEffect: () => false,
    },
  );
  return bench;
}
