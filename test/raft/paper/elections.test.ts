/** The Raft paper (extended version), sections 5.1, 5.2 and 5.4.1: terms, elections, who may win. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, MessageType } from '../../../manager/raft/index.ts';
import type { Cluster } from '../support/cluster.ts';
import {
  ask,
  become,
  Candidate,
  clusterOf,
  Follower,
  Leader,
  stateOf,
  termsOf,
} from './support.ts';

const ROLES = [Follower, Candidate, Leader] as const;

test('§5.1: a higher term in a message makes any node a follower in that term', () => {
  for (const role of ROLES) {
    const cluster = clusterOf(3);
    become(cluster, role);
    ask(cluster, 2, { type: MessageType.App, term: 9, index: 1, logTerm: 1 });
    assert.equal(cluster.member(1).term, 9);
    assert.equal(stateOf(cluster), Follower);
  }
});

test('§5.1: requests of a lower term are refused, and change nothing', () => {
  for (const role of ROLES) {
    const cluster = clusterOf(3);
    become(cluster, role);
    const { term } = cluster.member(1);
    const state = stateOf(cluster);
    const before = termsOf(cluster.member(1));
    for (const type of [MessageType.App, MessageType.Heartbeat, MessageType.Vote] as const) {
      assert.deepEqual(ask(cluster, 3, { type, term: term - 1, index: 1, logTerm: 1 }), []);
    }
    assert.deepEqual([cluster.member(1).term, stateOf(cluster)], [term, state]);
    assert.deepEqual(termsOf(cluster.member(1)), before);
  }
});

test('§5.2: nodes begin as followers', () => {
  const cluster = clusterOf(3);
  assert.deepEqual(
    [1, 2, 3].map((id) => stateOf(cluster, id)),
    [Follower, Follower, Follower],
  );
});

test('§5.2: a leader sends heartbeats to everybody, at every heartbeat interval', () => {
  const cluster = clusterOf(3, {}, { config: { heartbeatTick: 3 } });
  cluster.elect(1);
  for (let tick = 1; tick <= 9; tick++) {
    cluster.tick(1);
    cluster.flush(1);
    const sent = cluster.take().map(({ type, to }) => [type, to]);
    const expected = [2, 3].map((to) => [MessageType.Heartbeat, to]);
    assert.deepEqual(sent, tick % 3 === 0 ? expected : [], `tick ${tick}`);
  }
});

test('§5.2: who hears nothing for an election timeout votes for itself and asks all others', () => {
  for (const role of [Follower, Candidate] as const) {
    const cluster = clusterOf(3);
    become(cluster, role);
    const { term, node } = cluster.member(1);
    cluster.tick(1, node.raft.randomizedElectionTimeout);
    cluster.flush(1);
    assert.equal(stateOf(cluster), Candidate);
    assert.equal(cluster.member(1).term, term + 1);
    assert.equal(node.status().hardState.vote, 1);
    const requests = cluster.take(({ type }) => type === MessageType.Vote);
    assert.deepEqual(
      requests.map((m) => [m.to, m.term]),
      [2, 3].map((to) => [to, term + 1]),
    );
  }
});

test('§5.2: a majority of votes makes a leader, a majority of refusals a follower', () => {
  const cases: readonly (readonly [number, readonly boolean[], number])[] = [
    [1, [], Leader],
    [3, [true], Leader],
    [3, [true, true], Leader],
    [3, [false], Candidate],
    [3, [false, false], Follower],
    [3, [], Candidate],
    [5, [true], Candidate],
    [5, [true, true], Leader],
    [5, [true, false, true], Leader],
    [5, [false, false], Candidate],
    [5, [false, false, false], Follower],
    [5, [true, false, false, false], Follower],
  ];
  for (const [size, votes, state] of cases) {
    const cluster = clusterOf(size);
    const { node } = cluster.member(1);
    node.campaign();
    votes.forEach((granted, i) => {
      ask(cluster, i + 2, { type: MessageType.VoteResp, reject: !granted, term: 2 });
    });
    cluster.flush(1);
    assert.equal(stateOf(cluster), state, `${size} nodes, ${votes}`);
    assert.equal(cluster.member(1).term, 2);
  }
});

test('§5.2: a vote is given once in a term, to whoever asks first', () => {
  for (const [vote, from, reject] of [
    [0, 2, false],
    [0, 3, false],
    [2, 2, false],
    [3, 3, false],
    [2, 3, true],
    [3, 2, true],
  ] as const) {
    const cluster = clusterOf(3);
    cluster.member(1).storage.setHardState({ term: 4, vote, commit: 1 });
    cluster.member(1).restart();
    const [answer] = ask(cluster, from, { type: MessageType.Vote, index: 1, logTerm: 1 });
    assert.deepEqual([answer?.type, answer?.reject], [MessageType.VoteResp, reject]);
  }
});

test('§5.2: a candidate gives way to a leader of its own or a later term', () => {
  for (const later of [0, 1]) {
    const cluster = clusterOf(3);
    become(cluster, Candidate);
    const { term } = cluster.member(1);
    ask(cluster, 2, { type: MessageType.App, term: term + later, index: 1, logTerm: 1 });
    assert.equal(stateOf(cluster), Follower);
    assert.equal(cluster.member(1).node.status().softState.lead, 2);
    assert.equal(cluster.member(1).term, term + later);
  }
});

test('§5.2: election timeouts are drawn at random, from all of [E, 2E)', () => {
  for (const role of [Follower, Candidate] as const) {
    const cluster = clusterOf(3);
    const seen = new Set<number>();
    for (let round = 0; round < 300; round++) {
      if (role === Follower) ask(cluster, 2, { type: MessageType.App, term: round + 2 });
      else become(cluster, Candidate);
      const { term } = cluster.member(1);
      let ticks = 0;
      while (cluster.member(1).term === term) {
        cluster.tick(1);
        ticks++;
      }
      seen.add(ticks);
    }
    assert.deepEqual(
      [...seen].sort((a, b) => a - b),
      [10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
    );
  }
});

test('§5.2: of five nodes that lose their leader, mostly one times out before the others', () => {
  let conflicts = 0;
  const rounds = 500;
  for (let round = 0; round < rounds; round++) {
    const { all } = clusterOf(5, {}, { seed: round + 1 });
    const timeouts = all.map(({ node }) => node.raft.randomizedElectionTimeout);
    const first = Math.min(...timeouts);
    if (timeouts.filter((each) => each === first).length > 1) conflicts++;
  }
  // With five draws from ten values the lowest is alone in 71 % of all cases.
  assert.ok(conflicts < 0.36 * rounds && conflicts > 0.2 * rounds, `${conflicts} conflicts`);
});

test('§5.4.1: a request for votes tells the end of the log', () => {
  for (const [terms, index, logTerm] of [
    [[], 1, 1],
    [[1], 2, 1],
    [[1, 4, 4], 4, 4],
  ] as const) {
    const cluster = clusterOf(3, { 1: terms });
    cluster.member(1).node.campaign();
    cluster.flush(1);
    for (const m of requestsOf(cluster)) assert.deepEqual([m.index, m.logTerm], [index, logTerm]);
  }
});

function requestsOf(cluster: Cluster): Message[] {
  const requests = cluster.take(({ type }) => type === MessageType.Vote);
  assert.equal(requests.length, 2);
  return requests;
}

test('§5.4.1: nobody votes for a candidate whose log is less up to date than its own', () => {
  const cases: readonly (readonly [readonly number[], number, number, boolean])[] = [
    // The same term: the longer log.
    [[2], 2, 2, false],
    [[2], 3, 2, false],
    [[2, 2], 2, 2, true],
    // Different terms: the later one, whatever the lengths.
    [[2], 2, 3, false],
    [[2, 2, 2], 2, 3, false],
    [[3], 2, 2, true],
    [[3], 9, 2, true],
  ];
  for (const [own, index, logTerm, reject] of cases) {
    const cluster = clusterOf(2, { 1: own });
    const [answer] = ask(cluster, 2, { type: MessageType.Vote, term: 9, index, logTerm });
    assert.equal(answer?.reject, reject, `own log ${own}, candidate's ${logTerm}/${index}`);
  }
});
