/** Regressions of leadership transfer. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfChangeType,
  ErrProposalDropped,
  MessageType,
  message,
} from '../../../manager/raft/index.ts';
import { Cluster } from '../support/cluster.ts';

const STEADY = { config: { preVote: true, checkQuorum: true } };

test('34: a transfer waits until the transferee has everything', () => {
  // One entry per message, one message at a time: it takes several answers.
  const cluster = new Cluster({ config: { maxSizePerMsg: 0, maxInflightMsgs: 1 } });
  const { node } = cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, 'a', 'b', 'c', 'd');
  cluster.settle();
  cluster.heal();
  cluster.lose = (m) => {
    if (m.type === MessageType.TimeoutNow) {
      assert.equal(cluster.member(3).node.lastIndex(), node.lastIndex());
    }
    return false;
  };
  node.transferLeader(3);
  assert.equal(node.status().leadTransferee, 3);
  assert.throws(() => cluster.propose(1, 'e'), ErrProposalDropped);
  cluster.run(3);
  assert.equal(cluster.leader.id, 3);
});

test('34: a transfer to a node that needs a snapshot', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, 'a', 'b');
  cluster.settle();
  cluster.member(1).compact();
  cluster.heal();
  node.transferLeader(3);
  cluster.run(3);
  assert.equal(cluster.leader.id, 3);
});

test('34: a transfer that takes an election timeout is given up', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  cluster.isolate(3);
  // Counted from the request, and not from the last timeout.
  cluster.tick(1, 6);
  node.transferLeader(3);
  cluster.tick(1, 9);
  assert.equal(node.status().leadTransferee, 3);
  cluster.tick(1);
  assert.equal(node.status().leadTransferee, 0);
  cluster.propose(1, 'goes on');
  cluster.settle();
  assert.deepEqual(cluster.member(2).applied, ['goes on']);
});

test('34: a higher term, the removal and the demotion of the transferee end a transfer', () => {
  const ends: readonly ((cluster: Cluster) => void)[] = [
    (cluster) => {
      const { term } = cluster.member(1);
      cluster.step(message({ type: MessageType.Vote, from: 2, to: 1, term: term + 1 }));
    },
    (cluster) =>
      cluster.member(1).node.applyConfChange({ type: ConfChangeType.RemoveNode, nodeId: 3 }),
    (cluster) =>
      cluster.member(1).node.applyConfChange({ type: ConfChangeType.AddLearnerNode, nodeId: 3 }),
  ];
  for (const end of ends) {
    const cluster = new Cluster();
    const { node } = cluster.elect(1);
    cluster.isolate(3);
    node.transferLeader(3);
    assert.equal(node.status().leadTransferee, 3);
    end(cluster);
    assert.equal(node.status().leadTransferee, 0);
  }
});

test('34: a second transfer replaces the first, the same one again changes nothing', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  cluster.isolate(3);
  node.transferLeader(3);
  node.raft.electionElapsed = 5;
  node.transferLeader(3);
  assert.equal(node.raft.electionElapsed, 5);
  node.transferLeader(2);
  cluster.settle();
  assert.equal(cluster.leader.id, 2);
});

test('34: back and forth, to itself, to nobody, and asked at a follower', () => {
  const cluster = new Cluster(STEADY);
  cluster.elect(1);
  for (const to of [2, 1, 3, 1]) {
    cluster.leader.node.transferLeader(to);
    cluster.settle();
    assert.equal(cluster.leader.id, to);
  }
  for (const to of [1, 9]) {
    cluster.member(1).node.transferLeader(to);
    cluster.settle();
    assert.equal(cluster.leader.id, 1);
  }
  cluster.member(2).node.transferLeader(3);
  cluster.settle();
  assert.equal(cluster.leader.id, 3);
});
