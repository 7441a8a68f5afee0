/** Regressions of configuration changes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfChangeTransition,
  EntryType,
  ErrConfChange,
  type Message,
  MessageType,
  message,
  StateType,
} from '../../../manager/raft/index.ts';
import { Cluster } from '../support/cluster.ts';
import { add, learn, remove, v2, votersOf } from '../support/conf-changes.ts';

/** The types of the entries from `from` on. */
function typesOf(cluster: Cluster, id: number, from: number): EntryType[] {
  return cluster
    .member(id)
    .log()
    .filter(({ index }) => index >= from)
    .map(({ type }) => type);
}

test('20: the end of a transition is proposed once, though other entries follow the change', () => {
  // Applied one by one: each is an occasion to propose it again.
  const cluster = new Cluster({ config: { maxCommittedSizePerReady: 1 } });
  const { node } = cluster.elect(1);
  const from = node.lastIndex() + 1;
  node.proposeConfChange(v2(ConfChangeTransition.JointImplicit, remove(3), learn(2)));
  cluster.propose(1, 'a', 'b', 'c');
  cluster.settle();
  cluster.propose(1, 'd');
  cluster.settle();
  const { Normal, ConfChangeV2 } = EntryType;
  // The change, a to c, the end, d.
  assert.deepEqual(typesOf(cluster, 1, from), [
    ConfChangeV2,
    Normal,
    Normal,
    Normal,
    ConfChangeV2,
    Normal,
  ]);
  const { voters, votersOutgoing, learners } = node.status().confState;
  assert.deepEqual([voters, votersOutgoing, learners], [[1], [], [2]]);
});

test('20: a new leader ends the transition that the old one began', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  node.proposeConfChange(v2(ConfChangeTransition.JointImplicit, add(4), remove(3)));
  cluster.addEmpty(4);
  // Everybody has the change and knows it to be committed, when the leader is lost.
  cluster.lose = (m) => m.type === MessageType.App && m.entries.some(isLeave);
  cluster.settle();
  cluster.isolate(1);
  cluster.lose = () => false;
  cluster.run(40);
  assert.notEqual(cluster.leader.id, 1);
  assert.deepEqual(cluster.leader.node.status().confState.votersOutgoing, []);
  assert.deepEqual(votersOf(cluster, cluster.leader.id), [1, 2, 4]);
});

function isLeave({ type, data }: { type: EntryType; data?: Uint8Array }): boolean {
  return type === EntryType.ConfChangeV2 && (data === undefined || data.length === 0);
}

test('20: a transfer of leadership postpones the end of a transition, but does not prevent it', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  cluster.isolate(3);
  node.proposeConfChange(v2(ConfChangeTransition.JointImplicit, add(4), add(5)));
  node.transferLeader(3);
  cluster.settle();
  assert.deepEqual(node.status().confState.votersOutgoing, [1, 2, 3]);
  cluster.heal();
  cluster.run(30);
  cluster.propose(cluster.leader.id, 'x');
  cluster.run(3);
  assert.deepEqual(cluster.leader.node.status().confState.votersOutgoing, []);
});

test('20: a transfer that comes to nothing is followed by the end of the transition, without traffic', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  node.proposeConfChange(v2(ConfChangeTransition.JointImplicit, add(4), remove(3)));
  cluster.lose = ({ type }) => type === MessageType.TimeoutNow;
  node.transferLeader(2);
  cluster.settle();
  assert.deepEqual(node.status().confState.votersOutgoing, [1, 2, 3]);
  cluster.tick(1, 10);
  cluster.settle();
  assert.equal(node.status().leadTransferee, 0);
  assert.deepEqual(node.status().confState.votersOutgoing, []);
});

test('one change at a time: what comes too early becomes an empty entry', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  const from = node.lastIndex() + 1;
  node.proposeConfChange(add(4));
  node.proposeConfChange(add(5));
  cluster.settle();
  assert.deepEqual(typesOf(cluster, 1, from), [EntryType.ConfChange, EntryType.Normal]);
  assert.deepEqual(votersOf(cluster, 1), [1, 2, 3, 4]);
  node.proposeConfChange(add(5));
  cluster.settle();
  assert.deepEqual(votersOf(cluster, 1), [1, 2, 3, 4, 5]);
});

test('20: a new leader allows no change before it has applied all of its predecessors', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  // 2 gets a change that is not committed, and becomes leader with it.
  cluster.member(1).node.proposeConfChange(add(4));
  cluster.flush(1);
  for (const m of cluster.take(({ to }) => to === 2)) cluster.deliver(m);
  cluster.flush(2);
  cluster.take();
  cluster.isolate(1);
  const { node } = cluster.member(2);
  node.campaign();
  cluster.settleUntil(() => cluster.member(2).isLeader);
  const from = node.lastIndex() + 1;
  node.proposeConfChange(add(5));
  cluster.settle();
  assert.deepEqual(typesOf(cluster, 2, from), [EntryType.Normal], 'it came too early');
  assert.deepEqual(votersOf(cluster, 2), [1, 2, 3, 4]);
  cluster.heal();
  cluster.run(2);
  cluster.change(2, add(5));
  assert.deepEqual(votersOf(cluster, 2), [1, 2, 3, 4, 5]);
});

test('a change that could not be applied never enters the log', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  const from = node.lastIndex() + 1;
  const { Auto, JointExplicit, JointImplicit } = ConfChangeTransition;
  cluster.change(1, v2(Auto, remove(1), remove(2), remove(3)));
  cluster.change(1, v2(Auto));
  cluster.change(1, v2(JointExplicit));
  assert.deepEqual(typesOf(cluster, 1, from), new Array(3).fill(EntryType.Normal));
  cluster.change(1, v2(JointExplicit, learn(3)));
  cluster.change(1, v2(JointImplicit));
  cluster.change(1, add(4));
  assert.deepEqual(typesOf(cluster, 1, from + 3), [
    EntryType.ConfChangeV2,
    EntryType.Normal,
    EntryType.Normal,
  ]);
  cluster.change(1, v2(Auto));
  const { voters, learners } = node.status().confState;
  assert.deepEqual([voters, learners], [[1, 2], [3]]);
});

test('a change that does not fit is an error for whoever applies it, and changes nothing', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  assert.throws(
    () => node.applyConfChange(v2(ConfChangeTransition.Auto)),
    (error) => error instanceof ErrConfChange,
  );
  assert.deepEqual(votersOf(cluster, 1), [1, 2, 3]);
});

test('a change that the configuration covers already is left out, given its index', () => {
  const cluster = new Cluster();
  // What the node begins with is the configuration after what is applied.
  assert.deepEqual(cluster.member(1).node.applyConfChange(remove(3), 1).voters, [1, 2, 3]);
  const { node } = cluster.elect(1);
  node.applyConfChange(add(4), 10);
  assert.deepEqual(node.applyConfChange(remove(4), 10).voters, [1, 2, 3, 4]);
  assert.deepEqual(node.applyConfChange(remove(4), 11).voters, [1, 2, 3]);
});

test('23: a learner does not campaign, and leadership is not handed to one', () => {
  const cluster = new Cluster({ voters: [1, 2], learners: [3] });
  const { node } = cluster.elect(1);
  cluster.member(3).node.campaign();
  cluster.tick(3, 50);
  assert.equal(cluster.member(3).node.raft.state, StateType.Follower);
  node.transferLeader(3);
  assert.equal(node.status().leadTransferee, 0);
  cluster.settle();
  assert.equal(cluster.leader.id, 1);
});

test('24: a learner that was promoted without knowing it votes', () => {
  const cluster = new Cluster({ voters: [1, 2], learners: [3] });
  cluster.elect(1);
  cluster.isolate(3);
  cluster.change(1, add(3));
  cluster.heal();
  cluster.isolate(1);
  cluster.run(40);
  assert.equal(cluster.leader.id, 2);
});

test('25: a new leader replicates to itself, it does not probe', () => {
  const cluster = new Cluster();
  const { node } = cluster.member(1);
  node.campaign();
  cluster.flush(1);
  cluster.take();
  const { term } = cluster.member(1);
  node.step(message({ type: MessageType.VoteResp, from: 2, to: 1, term }));
  // From the first moment on, and not only when it has acknowledged its first entry.
  assert.equal(cluster.member(1).isLeader, true);
  assert.equal(node.raft.tracker.progress.get(1)?.state, 'StateReplicate');
});

test('26: adding a node that is not there yet does not depose the leader', () => {
  const cluster = new Cluster({ voters: [1], config: { checkQuorum: true } });
  const { node } = cluster.elect(1);
  cluster.tick(1, 9);
  cluster.change(1, add(2));
  cluster.tick(1);
  assert.equal(cluster.member(1).isLeader, true, 'the new node has had no time to answer');
  cluster.tick(1, 10);
  assert.equal(node.raft.state, StateType.Follower, 'but if it stays silent');
});

test('31: a node with a committed change that it has not applied does not campaign', () => {
  for (const change of [add(4), v2(ConfChangeTransition.Auto, add(4), add(5))]) {
    // One entry to a page, and the change is on the last of twenty.
    const cluster = new Cluster({ config: { maxCommittedSizePerReady: 1 } });
    cluster.elect(1);
    cluster.lose = (m: Message) => m.to === 2 && m.commit > 2;
    cluster.propose(1, ...Array.from({ length: 20 }, (_, i) => `t${i}`));
    cluster.member(1).node.proposeConfChange(change);
    cluster.settle();
    const { node, term } = cluster.member(2);
    node.step({
      type: MessageType.Heartbeat,
      from: 1,
      to: 2,
      term,
      commit: node.lastIndex(),
      index: 0,
      logTerm: 0,
      entries: [],
      vote: 0,
      reject: false,
      rejectHint: 0,
    });
    node.campaign();
    assert.equal(node.raft.state, StateType.Follower);
    cluster.flush(2);
    node.campaign();
    assert.equal(node.raft.state, StateType.Candidate, 'once it is applied');
  }
});

test('32: the last voter cannot be removed', () => {
  const cluster = new Cluster({ voters: [1] });
  cluster.elect(1);
  cluster.change(1, remove(1));
  assert.deepEqual(votersOf(cluster, 1), [1]);
  cluster.propose(1, 'still here');
  cluster.settle();
  assert.deepEqual(cluster.member(1).applied, ['still here']);
});

test('32: a leader of two removes itself, and the other one goes on', () => {
  for (const stepDownOnRemoval of [false, true]) {
    const cluster = new Cluster({ voters: [1, 2], config: { stepDownOnRemoval } });
    cluster.elect(1);
    cluster.change(1, remove(1));
    assert.deepEqual(votersOf(cluster, 2), [2]);
    assert.equal(cluster.member(1).isLeader, !stepDownOnRemoval);
    assert.throws(() => cluster.propose(1, 'x'), /dropped/);
    cluster.isolate(1);
    cluster.run(40);
    cluster.propose(2, 'y');
    cluster.settle();
    assert.deepEqual(cluster.member(2).applied, ['y']);
  }
});

test('33: a removal commits what the smaller quorum has', () => {
  const cluster = new Cluster({ voters: [1, 2] });
  const { node } = cluster.elect(1);
  node.proposeConfChange(remove(2));
  cluster.flush(1);
  for (const m of cluster.take()) cluster.deliver(m);
  cluster.flush(2);
  const acks = cluster.take();
  cluster.isolate(2);
  cluster.propose(1, 'alone');
  // Durable and acknowledged here, before the change is in force: nothing else will happen to it.
  cluster.flush(1);
  for (const m of acks) cluster.step(m);
  cluster.settle();
  assert.deepEqual(cluster.member(1).applied, ['alone']);
});

test('33: what a removal commits is told to those that are left at once', () => {
  const cluster = new Cluster({ voters: [1, 2, 3, 4] });
  const { node } = cluster.elect(1);
  cluster.isolate(3);
  node.proposeConfChange(remove(4));
  cluster.propose(1, 'a');
  // 4 gets its removal and nothing else: 1 and 2 have the next entry, which is a majority without 4.
  cluster.lose = (m) => m.to === 4 && m.entries.some(({ index }) => index === 4);
  cluster.settle();
  assert.deepEqual(votersOf(cluster, 1), [1, 2, 3]);
  assert.deepEqual(cluster.member(2).applied, ['a']);
});

test('without validation changes enter the log whatever they are', () => {
  const cluster = new Cluster({ config: { disableConfChangeValidation: true } });
  const { node } = cluster.elect(1);
  node.proposeConfChange(add(4));
  node.proposeConfChange(add(5));
  cluster.settle();
  assert.deepEqual(votersOf(cluster, 1), [1, 2, 3, 4, 5]);
});

test('48: adding a voter again changes nothing', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  const before = node.raft.tracker.progress.get(2)?.describe();
  cluster.change(1, add(2));
  assert.deepEqual(votersOf(cluster, 1), [1, 2, 3]);
  assert.equal(node.raft.tracker.progress.get(2)?.describe()?.split(' ')[0], before?.split(' ')[0]);
});
