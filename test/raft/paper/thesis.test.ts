/** Ongaro's thesis, chapters 3, 4, 6, 9 and 10: what it has beyond the paper. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfChangeTransition,
  ConfChangeType,
  ErrConfChange,
  ErrProposalDropped,
  MessageType,
  requiresDurability,
} from '../../../manager/raft/index.ts';
import { Cluster } from '../support/cluster.ts';
import { bytes } from '../support/member.ts';
import { ask, clusterOf, Follower, Leader, PreCandidate, stateOf, termsOf } from './support.ts';

const remove = (nodeId: number) => ({ type: ConfChangeType.RemoveNode, nodeId });
const learn = (nodeId: number) => ({ type: ConfChangeType.AddLearnerNode, nodeId });
const add = (nodeId: number) => ({ type: ConfChangeType.AddNode, nodeId });

test('thesis 3.8: term, vote and log survive a restart, the rest is found out again', () => {
  const cluster = clusterOf(3);
  cluster.elect(1);
  cluster.propose(1, 'a');
  cluster.settle();
  const { term } = cluster.member(2);
  const log = termsOf(cluster.member(2));
  cluster.member(2).restart();
  const { node } = cluster.member(2);
  assert.deepEqual([node.status().hardState.term, node.status().hardState.vote], [term, 1]);
  assert.deepEqual(termsOf(cluster.member(2)), log);
  assert.equal(node.status().softState.lead, 0);
  cluster.tick(1);
  cluster.settle();
  assert.equal(node.status().softState.lead, 1);
  assert.deepEqual(cluster.member(2).applied, ['a']);
});

test('thesis 3.8: no vote and no acknowledgement leaves before it is durable', () => {
  const cluster = clusterOf(3, {}, { config: { asyncStorageWrites: true } });
  const member = cluster.member(1);
  const requests = [
    { type: MessageType.Vote, index: 1, logTerm: 1, term: 2 },
    { type: MessageType.App, index: 1, logTerm: 1, term: 3 },
  ];
  for (const request of requests) {
    member.node.step({ ...EMPTY, from: 2, to: 1, ...request });
    while (member.node.hasReady()) {
      assert.equal(
        member.process().some(({ type }) => requiresDurability(type)),
        false,
      );
    }
    const released = member.runAppendThread().filter(({ to }) => to === 2);
    assert.equal(released.length, 1);
  }
});

const EMPTY = {
  logTerm: 0,
  entries: [],
  commit: 0,
  vote: 0,
  reject: false,
  rejectHint: 0,
};

test('thesis 3.10: leadership is handed over to a node that has everything, and at once', () => {
  const cluster = clusterOf(3, {}, { config: { checkQuorum: true, preVote: true } });
  const { node, term } = cluster.elect(1);
  node.transferLeader(2);
  assert.throws(() => cluster.propose(1, 'meanwhile'), ErrProposalDropped);
  cluster.settle();
  assert.equal(stateOf(cluster, 2), Leader);
  assert.equal(cluster.member(2).term, term + 1, 'in one election, without waiting for a timeout');
});

test('thesis 4.1: without a transition, at most one voter comes or goes', () => {
  const cluster = clusterOf(3);
  const { node } = cluster.elect(1);
  node.applyConfChange(add(4));
  const { raft } = node;
  assert.deepEqual(raft.tracker.config.voters, { incoming: [1, 2, 3, 4], outgoing: [] });
  // Several at once are a transition, even if nobody asks for one.
  node.applyConfChange({ transition: ConfChangeTransition.Auto, changes: [remove(4), add(5)] });
  assert.deepEqual(raft.tracker.config.voters.outgoing, [1, 2, 3, 4]);
  assert.throws(() => node.applyConfChange(add(6)), ErrConfChange);
});

test('thesis 4.1: a change is in force once it is in the log and applied, and one at a time', () => {
  const cluster = clusterOf(3);
  const { node } = cluster.elect(1);
  node.proposeConfChange(add(4));
  node.proposeConfChange(add(5));
  assert.deepEqual(node.status().confState.voters, [1, 2, 3], 'not when it is proposed');
  cluster.settle();
  assert.deepEqual(node.status().confState.voters, [1, 2, 3, 4], 'the second came too early');
});

test('thesis 4.2.1: a new node gets the log without counting for the majority', () => {
  const cluster = clusterOf(2);
  cluster.elect(1);
  cluster.addEmpty(3);
  cluster.change(1, learn(3));
  cluster.cut(1, 2);
  cluster.propose(1, 'a');
  cluster.settle();
  assert.equal(cluster.member(3).node.lastIndex(), cluster.member(1).node.lastIndex());
  assert.deepEqual(cluster.member(1).applied, [], '1 and 3 are no majority of 1 and 2');
  cluster.heal();
  cluster.run(2);
  cluster.change(1, add(3));
  cluster.cut(1, 2);
  cluster.propose(1, 'b');
  cluster.settle();
  assert.deepEqual(cluster.member(1).applied, ['a', 'b'], 'now they are');
});

test('thesis 4.2.2: a leader leads its own removal to its end, and does not count itself', () => {
  const cluster = clusterOf(3, {}, { config: { stepDownOnRemoval: true } });
  const { node } = cluster.elect(1);
  cluster.isolate(3);
  cluster.change(1, remove(1));
  assert.deepEqual(node.status().confState.voters, [2, 3], '1 and 2 committed it by the old rules');
  assert.equal(cluster.member(1).isLeader, false);
  const staying = clusterOf(3);
  staying.elect(1);
  staying.isolate(3);
  staying.change(1, remove(1));
  assert.equal(staying.member(1).isLeader, true);
  const { tracker } = staying.member(1).node.raft;
  assert.deepEqual(tracker.config.voters.incoming, [2, 3]);
  assert.equal(tracker.committed(), 2, 'what 2 and 3 have, and not what 1 and 2 have');
  assert.throws(() => staying.propose(1, 'x'), ErrProposalDropped);
});

test('thesis 4.2.3: a removed node that does not know it cannot depose the leader', () => {
  const cluster = clusterOf(3, {}, { config: { checkQuorum: true } });
  cluster.elect(1);
  cluster.isolate(3);
  cluster.change(1, remove(3));
  const { term } = cluster.member(1);
  cluster.heal();
  for (let i = 0; i < 5; i++) {
    cluster.tick(1, 2);
    cluster.member(3).node.campaign();
    cluster.settle();
  }
  assert.ok(cluster.member(3).term > term);
  assert.deepEqual([cluster.member(1).isLeader, cluster.member(1).term], [true, term]);
  assert.equal(cluster.member(2).term, term);
});

test('thesis 4.3: any change is made by a transition, which the leader ends by itself', () => {
  const cluster = clusterOf(3);
  for (const id of [4, 5, 6]) cluster.addEmpty(id);
  cluster.elect(1);
  const changes = [add(4), add(5), add(6), remove(2), remove(3), learn(1)];
  cluster.change(1, { transition: ConfChangeTransition.JointImplicit, changes });
  cluster.run(3);
  cluster.isolate(1);
  cluster.run(40);
  const { leader } = cluster;
  assert.ok([4, 5, 6].includes(leader.id));
  const { voters, votersOutgoing, learners } = leader.node.status().confState;
  assert.deepEqual([voters, votersOutgoing, learners], [[4, 5, 6], [], [1]]);
});

test('thesis 6.2: a leader without a majority gives up after an election timeout', () => {
  const cluster = clusterOf(3, {}, { config: { checkQuorum: true } });
  const { term } = cluster.elect(1);
  cluster.isolate(1);
  cluster.tick(1, 20);
  assert.deepEqual([stateOf(cluster), cluster.member(1).term], [Follower, term]);
});

test('thesis 6.4: a read is answered with the commit index at the time it was asked', () => {
  const cluster = clusterOf(3);
  const { node } = cluster.elect(1);
  cluster.propose(1, 'a');
  cluster.settle();
  node.readIndex(bytes('r'));
  cluster.propose(1, 'b');
  cluster.settle();
  assert.deepEqual(
    cluster.member(1).reads.map(({ index }) => index),
    [3],
  );
});

test('thesis 6.4.1: with leases, no message is needed as long as the lease runs', () => {
  const config = { checkQuorum: true, readOnlyOption: 'lease-based' } as const;
  const cluster = clusterOf(3, {}, { config });
  const { node } = cluster.elect(1);
  node.readIndex(bytes('r'));
  cluster.flush(1);
  assert.deepEqual(cluster.take(), []);
  assert.equal(cluster.member(1).reads.length, 1);
});

test('thesis 9.6: who could not win does not begin a term', () => {
  const cluster = new Cluster({ config: { preVote: true, checkQuorum: true } });
  const { term } = cluster.elect(1);
  cluster.isolate(3);
  cluster.run(60);
  assert.equal(stateOf(cluster, 3), PreCandidate);
  assert.equal(cluster.member(3).term, term);
  cluster.heal();
  cluster.run(2);
  assert.deepEqual([cluster.leader.id, cluster.leader.term], [1, term]);
  assert.equal(stateOf(cluster, 3), Follower);
});

test('thesis 9.6: a preliminary vote is no promise: two candidates may get the same', () => {
  const cluster = clusterOf(3);
  const request = { type: MessageType.PreVote, term: 2, index: 1, logTerm: 1 };
  for (const from of [2, 3]) {
    const [answer] = ask(cluster, from, request);
    assert.deepEqual([answer?.reject, answer?.term], [false, 2]);
  }
  assert.deepEqual(cluster.member(1).node.status().hardState, { term: 1, vote: 0, commit: 1 });
});

test('thesis 10.2.1: a leader writes to its disk while its followers write to theirs', () => {
  const cluster = clusterOf(3, {}, { config: { asyncStorageWrites: true } });
  const member = cluster.elect(1);
  cluster.propose(1, 'a');
  for (const m of member.process()) cluster.step(m);
  for (const id of [2, 3]) cluster.flush(id);
  for (const m of cluster.take()) cluster.step(m);
  assert.equal(member.appendWork.length, 1, 'not written here yet');
  assert.equal(member.node.raft.log.committed, 3, 'and committed by the other two');
});

test('thesis 10.2.2: what is proposed together travels together, and nothing waits for an answer', () => {
  const cluster = clusterOf(2);
  const { node } = cluster.elect(1);
  node.proposeBatch([bytes('a'), bytes('b'), bytes('c')]);
  node.proposeBatch([bytes('d')]);
  cluster.flush(1);
  assert.deepEqual(
    cluster.take().map(({ entries, index }) => [index, entries.length]),
    [
      [2, 3],
      [5, 1],
    ],
  );
});
