/** What a node learns from votes that are refused: see `reject` in `core/vote.ts`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfChangeTransition,
  type Message,
  MessageType,
  message,
  StateType,
} from '../../../manager/raft/index.ts';
import { encodeNumbers } from '../../../manager/raft/numbers.ts';
import { Cluster } from '../support/cluster.ts';
import { learn, remove, v2, votersOf } from '../support/conf-changes.ts';
import { bytes } from '../support/member.ts';

test('what a removed leader knew to be committed is learnt from the votes it refuses', () => {
  const cluster = new Cluster({ config: { stepDownOnRemoval: true } });
  cluster.elect(3);
  const { node } = cluster.member(3);
  const isJoint = () => node.status().confState.votersOutgoing.length > 0;
  // 3 makes itself a learner and 2 goes: 1 alone is left.
  node.proposeConfChange(v2(ConfChangeTransition.JointImplicit, learn(3), remove(2)));
  cluster.settleUntil(isJoint);
  // 1 gets the end of the transition, but neither hears that it is committed nor gets what follows, and
  // 3 is leader no more.
  const leave = node.lastIndex();
  const isNews = (m: Message) => m.commit >= leave || m.entries.some(({ index }) => index > leave);
  cluster.lose = (m) => m.to === 1 && isNews(m);
  node.propose(bytes('tail'));
  cluster.settle();
  assert.deepEqual(votersOf(cluster, 3), [1]);
  assert.deepEqual(votersOf(cluster, 1), [1]);
  assert.deepEqual(cluster.member(1).node.status().confState.votersOutgoing, [1, 2, 3]);
  assert.equal(cluster.all.filter(({ isLeader }) => isLeader).length, 0);
  // In the old configuration 1 needs the vote of 2 or 3, whose logs are longer; and those cannot lead.
  cluster.heal();
  cluster.run(60);
  assert.equal(cluster.leader.id, 1);
  assert.deepEqual(cluster.member(1).node.status().confState.votersOutgoing, []);
});

test('a campaign ends when its configuration turns out to be an old one', () => {
  const cluster = new Cluster();
  cluster.elect(3);
  // 1 has the change that makes it the only voter, and does not know that it is committed.
  cluster
    .member(3)
    .node.proposeConfChange(v2(ConfChangeTransition.JointExplicit, remove(2), remove(3)));
  cluster.settle();
  cluster.lose = (m) => m.to === 1 && m.commit > 3;
  cluster.member(3).node.proposeConfChange(v2(ConfChangeTransition.Auto));
  cluster.settle();
  const { node } = cluster.member(1);
  assert.deepEqual(node.status().confState.votersOutgoing, [1, 2, 3]);
  assert.equal(node.lastIndex(), 4);
  node.campaign();
  cluster.flush(1);
  cluster.take();
  assert.equal(node.raft.state, StateType.Candidate);
  const { term } = cluster.member(1);
  const answer = { type: MessageType.VoteResp, to: 1, term };
  node.step(message({ ...answer, from: 2, reject: true, context: encodeNumbers(4, 2) }));
  assert.equal(node.raft.log.committed, 4, 'learnt from the refusal');
  assert.equal(node.raft.state, StateType.Follower);
  node.step(message({ ...answer, from: 3 }));
  assert.equal(node.raft.state, StateType.Follower, 'the votes of the old configuration are void');
  cluster.flush(1);
  node.campaign();
  cluster.flush(1);
  assert.equal(cluster.member(1).isLeader, true, 'alone, as it is now');
});

test('only who is no voter says with a refusal what it knows to be committed', () => {
  for (const [id, context] of [
    [2, undefined],
    [4, encodeNumbers(1, 1)],
  ] as const) {
    const cluster = new Cluster({ learners: [4] });
    const { node } = cluster.member(id);
    node.step(message({ type: MessageType.Vote, from: 1, to: id, term: 2 }));
    cluster.flush(id);
    const [answer] = cluster.take();
    assert.deepEqual([answer?.reject, answer?.context], [true, context]);
  }
});

test('what is learnt from refusals moves nothing but the commit index of a node that follows', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  cluster.propose(1, 'a');
  cluster.flush(1);
  for (const m of cluster.take(({ to }) => to === 2)) cluster.deliver(m);
  cluster.flush(2);
  cluster.take();
  const refusal = (to: number, index: number, term: number) =>
    message({
      type: MessageType.VoteResp,
      from: 3,
      to,
      term: 2,
      reject: true,
      context: encodeNumbers(index, term),
    });
  const { node } = cluster.member(2);
  assert.equal(node.raft.log.committed, 2);
  for (const [index, term] of [
    [3, 1],
    [3, 0],
    [4, 2],
  ] as const) {
    node.step(refusal(2, index, term));
    assert.equal(node.raft.log.committed, 2, 'an entry that is not in the log');
  }
  node.step(refusal(2, 3, 2));
  assert.deepEqual([node.raft.log.committed, node.raft.lead], [3, 1]);
  const leader = cluster.member(1).node;
  leader.step(refusal(1, 3, 2));
  assert.equal(leader.raft.log.committed, 2, 'a leader counts for itself');
});

test('a preliminary campaign ends as well when its configuration is an old one', () => {
  const cluster = new Cluster({ config: { preVote: true } });
  cluster.elect(3);
  cluster.lose = (m) => m.to === 1 && m.commit > 2;
  cluster.change(3, remove(2));
  const { node } = cluster.member(1);
  node.campaign();
  assert.equal(node.raft.state, StateType.PreCandidate);
  const refusal = { type: MessageType.PreVoteResp, to: 1, from: 2, reject: true };
  node.step(message({ ...refusal, term: 2, context: encodeNumbers(3, 2) }));
  assert.equal(node.raft.state, StateType.Follower);
  cluster.flush(1);
  assert.deepEqual(votersOf(cluster, 1), [1, 3]);
});
