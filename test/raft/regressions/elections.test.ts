/** Regressions of elections, PreVote and CheckQuorum. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, MessageType, message, StateType } from '../../../manager/raft/index.ts';
import { Cluster } from '../support/cluster.ts';

const stateOf = (cluster: Cluster, id: number) => cluster.member(id).node.raft.state;
const PRE_VOTE = { config: { preVote: true } };
const STEADY = { config: { preVote: true, checkQuorum: true } };

test('the election timeout is drawn from [E, 2E) at every change of role', () => {
  const cluster = new Cluster();
  const { raft } = cluster.member(1).node;
  const drawn = new Set<number>();
  for (let i = 0; i < 1_000; i++) {
    raft.reset(raft.term);
    drawn.add(raft.randomizedElectionTimeout);
  }
  assert.deepEqual(
    [...drawn].sort((a, b) => a - b),
    [10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
  );
});

test('whoever campaigns has a whole election timeout for it', () => {
  for (const config of [{}, { preVote: true }]) {
    const cluster = new Cluster({ config: { ...config, random: () => 0 } });
    cluster.tick(1, 8);
    const { node } = cluster.member(1);
    node.step(message({ type: MessageType.Vote, from: 2, to: 1, term: 2, index: 0, logTerm: 0 }));
    cluster.tick(1, 9);
    assert.equal(stateOf(cluster, 1), StateType.Follower, 'counted anew in a new term');
    cluster.tick(1);
    const campaigning = stateOf(cluster, 1);
    assert.notEqual(campaigning, StateType.Follower);
    const { term } = cluster.member(1);
    cluster.tick(1, 9);
    assert.deepEqual([stateOf(cluster, 1), cluster.member(1).term], [campaigning, term]);
  }
});

test('a vote given starts the election timeout anew, a vote refused does not', () => {
  for (const [index, state] of [
    [1, StateType.Follower],
    [0, StateType.Candidate],
  ] as const) {
    const cluster = new Cluster({ config: { random: () => 0 } });
    const { node } = cluster.member(1);
    const vote = { type: MessageType.Vote, from: 2, to: 1, term: 2, logTerm: index };
    node.step(message({ type: MessageType.Heartbeat, from: 3, to: 1, term: 2 }));
    node.forgetLeader();
    cluster.tick(1, 9);
    node.step(message({ ...vote, index }));
    cluster.tick(1);
    assert.equal(stateOf(cluster, 1), state);
  }
});

test('27: nodes with and without PreVote elect a leader, whatever their terms and logs', () => {
  const cluster = new Cluster({ configOf: (id) => ({ preVote: id !== 3 }) });
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, 'a');
  cluster.settle();
  // 3 has an old log, and without PreVote its term runs away.
  cluster.run(100);
  assert.ok(cluster.member(3).term > cluster.member(1).term);
  cluster.heal();
  cluster.isolate(1);
  cluster.run(100);
  assert.equal(cluster.leader.id, 2);
  assert.deepEqual(cluster.member(3).applied, ['a']);
});

test('27: a preliminary candidate of a lower term is told so', () => {
  const cluster = new Cluster(PRE_VOTE);
  const { node } = cluster.member(2);
  node.step(message({ type: MessageType.Vote, from: 1, to: 2, term: 7, index: 1, logTerm: 1 }));
  cluster.flush(2);
  cluster.take();
  node.step(message({ type: MessageType.PreVote, from: 3, to: 2, term: 3, index: 1, logTerm: 1 }));
  cluster.flush(2);
  const [answer] = cluster.take();
  assert.deepEqual([answer?.to, answer?.reject, answer?.term], [3, true, 7]);
});

test('27: a preliminary candidate that is refused by a node ahead of it catches up with its term', () => {
  const cluster = new Cluster(PRE_VOTE);
  const { node } = cluster.member(1);
  node.campaign();
  assert.equal(stateOf(cluster, 1), StateType.PreCandidate);
  const answer = { type: MessageType.PreVoteResp, from: 2, to: 1, term: 7 };
  node.step(message({ ...answer, reject: true }));
  assert.deepEqual([stateOf(cluster, 1), cluster.member(1).term], [StateType.Follower, 7]);
});

test('28: a preliminary vote that arrives late does not count in the election', () => {
  const cluster = new Cluster({ ...PRE_VOTE, voters: [1, 2, 3, 4, 5] });
  const { node } = cluster.member(1);
  node.campaign();
  cluster.flush(1);
  for (const m of cluster.take()) cluster.deliver(m);
  for (const id of [2, 3, 4, 5]) cluster.flush(id);
  const votes = cluster.take((m) => m.type === MessageType.PreVoteResp);
  for (const m of votes.slice(0, 2)) cluster.step(m);
  assert.equal(stateOf(cluster, 1), StateType.Candidate);
  for (const m of votes.slice(2)) cluster.step(m);
  // The own vote is not durable yet, and comes with the next Ready.
  assert.equal(stateOf(cluster, 1), StateType.Candidate);
  assert.equal(node.raft.tracker.votes.size, 0);
});

test('28: the own preliminary vote may come after the campaign began', () => {
  const cluster = new Cluster({ config: { preVote: true, asyncStorageWrites: true } });
  const member = cluster.member(1);
  member.node.campaign();
  const requests = member.process();
  for (const m of requests) cluster.step(m);
  for (const id of [2, 3]) cluster.flush(id);
  for (const m of cluster.take()) cluster.step(m);
  assert.equal(stateOf(cluster, 1), StateType.Candidate);
  for (const m of member.runAppendThread()) cluster.step(m);
  assert.equal(stateOf(cluster, 1), StateType.Candidate);
  cluster.settle();
  assert.equal(stateOf(cluster, 1), StateType.Leader);
});

test('PreVote: the votes of one attempt do not count in the next', () => {
  const cluster = new Cluster({ ...PRE_VOTE, voters: [1, 2, 3, 4, 5] });
  const { node } = cluster.member(1);
  const attempt = (voter: number) => {
    node.campaign();
    cluster.flush(1);
    cluster.take();
    const term = cluster.member(1).term + 1;
    node.step(message({ type: MessageType.PreVoteResp, from: voter, to: 1, term }));
  };
  attempt(2);
  attempt(3);
  assert.equal(stateOf(cluster, 1), StateType.PreCandidate);
  node.step(message({ type: MessageType.PreVoteResp, from: 4, to: 1, term: 2 }));
  assert.equal(stateOf(cluster, 1), StateType.Candidate);
});

test('PreVote: an isolated node comes back without disturbing the leader', () => {
  const cluster = new Cluster(PRE_VOTE);
  cluster.elect(1);
  const { term } = cluster.member(1);
  cluster.isolate(3);
  cluster.run(100);
  cluster.heal();
  cluster.run(30);
  assert.equal(cluster.leader.id, 1);
  assert.equal(cluster.leader.term, term);
});

test('37: with CheckQuorum a node with a higher term can only make the leader step down', () => {
  const cluster = new Cluster({ config: { checkQuorum: true } });
  cluster.elect(1);
  cluster.isolate(3);
  cluster.run(60);
  const { term } = cluster.member(3);
  assert.ok(term > cluster.member(1).term);
  cluster.heal();
  cluster.tick(1);
  cluster.settle();
  assert.equal(cluster.member(1).isLeader, false, 'released by the answer of the higher term');
  cluster.run(60);
  assert.ok(cluster.leader.term >= term);
  cluster.propose(cluster.leader.id, 'x');
  cluster.settle();
  for (const { applied } of cluster.all) assert.deepEqual(applied, ['x']);
});

test('37: a node of a lower term can win, if its log is up to date', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  cluster.isolate(3);
  for (let i = 0; i < 3; i++) cluster.member(3).node.campaign();
  cluster.flush(3);
  cluster.take();
  cluster.heal();
  cluster.isolate(1);
  cluster.run(60);
  assert.ok([2, 3].includes(cluster.leader.id));
});

test('a leader without a quorum gives up, with CheckQuorum only', () => {
  for (const checkQuorum of [true, false]) {
    const cluster = new Cluster({ config: { checkQuorum } });
    cluster.elect(1);
    cluster.isolate(1);
    cluster.tick(1, 20);
    assert.equal(cluster.member(1).isLeader, !checkQuorum);
  }
});

test('a follower that hears from its leader does not vote for another', () => {
  const cluster = new Cluster({ config: { checkQuorum: true } });
  cluster.elect(1);
  const { term } = cluster.member(1);
  cluster.member(3).node.campaign();
  cluster.settle();
  assert.equal(cluster.member(2).term, term, 'not even the term is taken over');
  assert.equal(cluster.member(1).isLeader, true);
});

test('a candidate that hears of the winner follows it', () => {
  for (const type of [MessageType.App, MessageType.Heartbeat, MessageType.Snap] as const) {
    const cluster = new Cluster();
    cluster.isolate(1);
    const { node } = cluster.member(1);
    node.campaign();
    const { term } = cluster.member(1);
    const snapshot = { metadata: { index: 7, term: 1, confState: node.status().confState } };
    node.step(message({ type, from: 2, to: 1, term, index: 1, logTerm: 1, snapshot }));
    assert.equal(stateOf(cluster, 1), StateType.Follower);
    if (type === MessageType.Snap) assert.equal(node.lastIndex(), 7);
    assert.equal(node.status().softState.lead, 2);
  }
});

test('the lease of a leader ends after an election timeout, though this node waits for longer', () => {
  const cluster = new Cluster({ config: { ...STEADY.config, random: () => 0.99 } });
  cluster.elect(2);
  const { node, term } = cluster.member(1);
  const vote = { type: MessageType.Vote, from: 3, to: 1, term: term + 1, index: 2, logTerm: term };
  cluster.tick(1, 9);
  node.step(message(vote));
  assert.equal(cluster.member(1).term, term, 'withheld');
  cluster.tick(1);
  assert.equal(stateOf(cluster, 1), StateType.Follower);
  node.step(message(vote));
  assert.deepEqual([cluster.member(1).term, node.raft.vote], [term + 1, 3]);
});

test('nobody else gets a vote in the term of a leader, also of nodes that did not elect it', () => {
  const { node } = new Cluster().member(1);
  const from = (id: number) => ({ from: id, to: 1, term: 2 });
  node.step(message({ type: MessageType.Heartbeat, ...from(2) }));
  node.step(message({ type: MessageType.Vote, ...from(3), index: 9, logTerm: 2 }));
  assert.deepEqual([node.raft.vote, node.raft.lead], [0, 2]);
});

test('a leader of a lower term is told, where its silence would not be enough', () => {
  for (const [config, answers] of [
    [{}, 0],
    [{ preVote: true }, 1],
    [{ checkQuorum: true }, 1],
  ] as const) {
    for (const type of [MessageType.App, MessageType.Heartbeat]) {
      const cluster = new Cluster({ config });
      const { node } = cluster.member(1);
      node.step(message({ type: MessageType.Heartbeat, from: 3, to: 1, term: 7 }));
      cluster.flush(1);
      cluster.take();
      node.step(message({ type, from: 2, to: 1, term: 3, index: 1, logTerm: 1 }));
      cluster.flush(1);
      const sent = cluster.take();
      assert.equal(sent.length, answers);
      for (const m of sent) assert.deepEqual([m.type, m.term, m.to], [MessageType.AppResp, 7, 2]);
    }
  }
});

test('a learner that hears nothing waits in silence', () => {
  const said: string[] = [];
  const say = (text: string) => said.push(text);
  const logger = { debug: say, info: say, warn: say, error: say };
  const cluster = new Cluster({ learners: [4], configOf: (id) => (id === 4 ? { logger } : {}) });
  said.length = 0;
  cluster.tick(4, 100);
  assert.deepEqual(said, []);
});

test('of two answers of one node in a campaign the first counts', () => {
  const { node } = new Cluster().member(1);
  const { tracker } = node.raft;
  tracker.recordVote(2, false);
  tracker.recordVote(2, true);
  tracker.recordVote(3, true);
  assert.deepEqual(tracker.tally(), { granted: 1, rejected: 1, result: 'VotePending' });
});

test('a vote is given once per term, and to the same candidate again', () => {
  const cluster = new Cluster();
  const { node } = cluster.member(1);
  const ask = (from: number) => {
    node.step(message({ type: MessageType.Vote, from, to: 1, term: 5, index: 9, logTerm: 4 }));
    cluster.flush(1);
    return cluster.take((m: Message) => m.to === from)[0]?.reject;
  };
  assert.deepEqual([ask(2), ask(3), ask(2)], [false, true, false]);
  cluster.member(1).restart();
  const again = cluster.member(1).node;
  again.step(message({ type: MessageType.Vote, from: 3, to: 1, term: 5, index: 9, logTerm: 4 }));
  cluster.flush(1);
  assert.equal(cluster.take()[0]?.reject, true, 'also after a restart');
});
