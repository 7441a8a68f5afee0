import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { afterEach, describe, it } from 'node:test';
import { TestCluster, until, write } from './harness.ts';

const FAST = { tickMs: 50 };

describe('membership', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.stop());

  it('grows from one to five, each a learner first', async () => {
    cluster = await TestCluster.create(1, FAST);
    const leader = await cluster.leader();
    await write(leader, 'before');
    for (let size = 2; size <= 5; size++) {
      const manager = cluster.add();
      await cluster.join(manager, FAST);
      await until(() => manager.machine.texts[0] === 'before', 'it has the log');
      await cluster.allVote(size);
    }
    const ids = leader.api.members().map(({ raftId }) => raftId);
    assert.equal(new Set(ids).size, 5);
    await write(leader, 'after');
    await until(() => cluster.managers.every(({ machine }) => machine.texts.length === 2), 'all');
    await until(() => leader.api.members().every(({ reachable }) => reachable), 'all reachable');
    assert.deepEqual(
      leader.api.members().filter((member) => member.leader),
      leader.api.members().filter((member) => member.self),
    );
  });

  it('tells a removed member, and forgets it', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    const [gone, stays] = await cluster.followers();
    const { raftId } = gone!.api;
    await leader.api.removeMember(raftId);
    await until(() => gone!.removed === 1, 'it knows');
    assert.throws(() => gone!.api.propose(Buffer.from('x')), { code: 'SWM_NOT_MANAGER' });
    await gone!.stop();
    assert.ok(leader.api.membership().removed.includes(raftId));
    await write(leader, 'two are enough');
    await until(() => stays!.machine.texts.length === 1, 'the other one has it');
    await leader.api.removeMember(raftId);
    // Restarted from its old directory it learns the same again.
    await gone!.start(FAST).catch(() => undefined);
    await until(() => gone!.removed === 2, 'it knows again');
  });

  it('does not remove a member whose absence would cost the quorum', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    const [down, up] = await cluster.followers();
    const [downId, upId] = [down!.api.raftId, up!.api.raftId];
    await down!.kill();
    const isDown = () => leader.api.members().some(({ reachable }) => !reachable);
    await until(isDown, 'the leader misses it');
    await assert.rejects(leader.api.removeMember(upId), {
      code: 'SWM_FAILED_PRECONDITION',
      message: "can't remove member from the raft: this would result in a loss of quorum",
    });
    await leader.api.removeMember(downId);
    assert.equal(leader.api.members().length, 2);
    await assert.rejects(leader.api.removeMember(12345), { code: 'SWM_NOT_FOUND' });
  });

  it('does not take one that has just died for a member of the quorum that is left', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    const [down, up] = await cluster.followers();
    await until(() => leader.api.members().every(({ reachable }) => reachable), 'all are there');
    // Nobody has had the time to miss it.
    void down!.kill();
    assert.ok(leader.api.members().every(({ reachable }) => reachable));
    const refusal = { code: 'SWM_FAILED_PRECONDITION' };
    await assert.rejects(leader.api.confirmRemoval(up!.api.raftId), refusal);
    await assert.rejects(leader.api.removeMember(up!.api.raftId), refusal);
    await assert.rejects(leader.api.removeMember(leader.api.raftId), refusal);
    assert.ok(leader.api.isLeader, 'refused before leadership was handed over');
    await write(leader, 'two of three still decide');
  });

  it('lets a leader remove itself', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    await leader.api.removeMember(leader.api.raftId);
    await until(() => leader.removed === 1, 'it is out');
    await leader.stop();
    const next = await cluster.leader();
    assert.equal(next.api.members().length, 2);
    await write(next, 'goes on');
  });

  it('follows a member to its new address', async () => {
    cluster = await TestCluster.create(3, FAST);
    const [mover] = await cluster.followers();
    const was = mover!.addr;
    await mover!.kill();
    mover!.forgetPort();
    await mover!.start(FAST);
    assert.notEqual(mover!.addr, was);
    const known = () =>
      cluster.running.every(({ api }) =>
        api.members().some(({ nodeId, addr }) => nodeId === mover!.nodeId && addr === mover!.addr),
      );
    await until(known, 'everybody has the new address');
    const leader = await cluster.leader();
    await write(leader, 'x');
    await until(() => mover!.machine.texts.includes('x'), 'it is there');
  });

  it('gives a node that lost its disk a new id', async () => {
    cluster = await TestCluster.create(3, FAST);
    const [wiped] = await cluster.followers();
    const { raftId } = wiped!.api;
    await wiped!.kill();
    for (const path of [wiped!.dir, `${wiped!.dir}.mark`]) await rm(path, { recursive: true });
    await cluster.join(wiped!, FAST);
    assert.notEqual(wiped!.api.raftId, raftId);
    await cluster.allVote(3);
    const leader = await cluster.leader();
    assert.equal(leader.api.members().length, 3);
    assert.ok(leader.api.membership().removed.includes(raftId));
  });

  it('does not count a node twice that asks twice', async () => {
    cluster = await TestCluster.create(1, FAST);
    const manager = cluster.add();
    await manager.listen();
    const leader = await cluster.leader();
    const { nodeId, addr } = manager;
    const first = await leader.api.addMember({ nodeId, addr, raftId: 0 });
    const second = await leader.api.addMember({ nodeId, addr, raftId: 0 });
    assert.deepEqual(second, first);
    await manager.start({ join: { raftId: first.raftId, membership: leader.api.membership() } });
    await cluster.allVote(2);
    const third = await leader.api.addMember({ nodeId, addr, raftId: first.raftId });
    assert.equal(third.raftId, first.raftId);
    assert.equal(leader.api.members().length, 2);
  });

  it('does not let in who cannot be reached', async () => {
    cluster = await TestCluster.create(1, FAST);
    const leader = await cluster.leader();
    const request = { nodeId: 'x', addr: '127.0.0.1:1', raftId: 0 };
    await assert.rejects(leader.api.addMember(request), {
      code: 'SWM_FAILED_PRECONDITION',
      message: /Nobody answered at 127\.0\.0\.1:1/,
    });
    assert.equal(leader.api.members().length, 1);
  });

  it('lets only the leader change anything', async () => {
    cluster = await TestCluster.create(2, FAST);
    const [follower] = await cluster.followers();
    const { raftId } = follower!.api;
    await assert.rejects(follower!.api.removeMember(raftId), { code: 'SWM_NOT_LEADER' });
    await assert.rejects(follower!.api.transferLeadership(), { code: 'SWM_NOT_LEADER' });
    assert.throws(() => follower!.api.propose(Buffer.from('x')), { code: 'SWM_NOT_LEADER' });
  });

  it('hands over leadership', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    await leader.api.transferLeadership();
    assert.equal(leader.api.isLeader, false);
    const next = await cluster.leader();
    assert.notEqual(next, leader);
    await write(next, 'x');
  });
});
