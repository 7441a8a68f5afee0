/** The Raft paper (extended version), sections 5.3, 5.4.2, 5.5, 6, 7 and 8: logs and what is done with them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfChangeTransition,
  ConfChangeType,
  MessageType,
  message,
} from '../../../manager/raft/index.ts';
import type { Cluster } from '../support/cluster.ts';
import { bytes, text } from '../support/member.ts';
import { ask, clusterOf, entriesOf, Follower, stateOf, termsOf } from './support.ts';

const { App, AppResp } = MessageType;

test('§5.3: a leader appends what it is asked to, and sends it with what precedes it', () => {
  const cluster = clusterOf(3);
  const { node, term } = cluster.elect(1);
  const last = node.lastIndex();
  cluster.propose(1, 'a');
  cluster.flush(1);
  assert.equal(node.lastIndex(), last + 1);
  assert.equal(node.raft.log.committed, last, 'not committed by the leader alone');
  const sent = cluster.take().map(({ type, to, index, logTerm, commit, entries }) => ({
    head: [type, to, index, logTerm, commit],
    entries: entries.map((entry) => [entry.index, entry.term, text(entry.data)]),
  }));
  const expected = [2, 3].map((to) => ({
    head: [App, to, last, term, last],
    entries: [[last + 1, term, 'a']],
  }));
  assert.deepEqual(sent, expected);
});

test('§5.3: an entry is committed once a majority has it, and then applied in order', () => {
  for (const [size, acks, isCommitted] of [
    [1, 0, true],
    [3, 0, false],
    [3, 1, true],
    [3, 2, true],
    [5, 0, false],
    [5, 1, false],
    [5, 2, true],
    [5, 4, true],
  ] as const) {
    const cluster = clusterOf(size);
    cluster.elect(1);
    cluster.propose(1, 'a');
    cluster.flush(1);
    cluster.take(({ to }) => to > acks + 1);
    cluster.settle();
    assert.deepEqual(cluster.member(1).applied, isCommitted ? ['a'] : [], `${acks} of ${size}`);
  }
});

test('§5.3: committing an entry commits all before it, also those of former leaders', () => {
  for (const terms of [[], [2], [1, 2], [1, 1, 2]]) {
    const cluster = clusterOf(3, { 1: terms, 2: terms, 3: terms });
    const member = cluster.elect(1);
    cluster.propose(1, 'a');
    cluster.settle();
    assert.equal(member.appliedIndex, 1 + terms.length + 2);
    assert.deepEqual(
      termsOf(cluster.member(2)),
      [...terms, member.term, member.term],
      'and the followers have the same',
    );
  }
});

test('§5.3: followers learn what is committed from the leader, and apply it', () => {
  const cluster = clusterOf(3);
  cluster.elect(1);
  cluster.propose(1, 'a', 'b');
  cluster.settle();
  for (const { applied } of cluster.all) assert.deepEqual(applied, ['a', 'b']);
  // No further than their own log goes, whatever the leader has committed meanwhile.
  const other = clusterOf(3);
  ask(other, 2, {
    type: App,
    term: 2,
    index: 1,
    logTerm: 1,
    entries: entriesOf(2, [2]),
    commit: 9,
  });
  assert.equal(other.member(1).node.raft.log.committed, 2);
});

test('§5.3: a follower refuses entries that do not follow on from its log', () => {
  for (const [index, logTerm, reject] of [
    [1, 1, false],
    [2, 1, false],
    [3, 2, false],
    [3, 1, true],
    [4, 2, true],
    [9, 5, true],
  ] as const) {
    const cluster = clusterOf(3, { 1: [1, 2] });
    const [answer] = ask(cluster, 2, { type: App, term: 5, index, logTerm });
    assert.deepEqual([answer?.type, answer?.reject], [AppResp, reject], `${logTerm}/${index}`);
    assert.deepEqual(termsOf(cluster.member(1)), [1, 2]);
  }
});

test('§5.3: a conflicting entry and all that follow it are replaced; the same again change nothing', () => {
  const cases: readonly (readonly [number, number, readonly number[], readonly number[]])[] = [
    [3, 2, [3], [1, 2, 3]],
    [2, 1, [3, 4], [1, 3, 4]],
    [1, 1, [1], [1, 2]],
    [1, 1, [3], [3]],
    [1, 1, [1, 2], [1, 2]],
    [1, 1, [1, 2, 4], [1, 2, 4]],
  ];
  for (const [index, logTerm, sent, after] of cases) {
    const cluster = clusterOf(3, { 1: [1, 2] });
    const append = { type: App, term: 5, index, logTerm, entries: entriesOf(index + 1, sent) };
    ask(cluster, 2, append);
    assert.deepEqual(termsOf(cluster.member(1)), after);
    ask(cluster, 2, append);
    assert.deepEqual(termsOf(cluster.member(1)), after);
  }
});

test('§5.3: a leader brings any log of figure 7 to its own', () => {
  const leader = [1, 1, 4, 4, 5, 5, 6, 6, 6];
  const followers: Readonly<Record<string, readonly number[]>> = {
    a: [1, 1, 4, 4, 5, 5, 6, 6],
    b: [1, 1, 4],
    c: [1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    d: [1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    e: [1, 1, 4, 4, 4, 4],
    f: [1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  };
  for (const [name, log] of Object.entries(followers)) {
    const cluster = clusterOf(3, { 1: leader, 2: log, 3: [] });
    const { storage } = cluster.member(1);
    storage.setHardState({ term: 7, vote: 0, commit: 1 });
    cluster.member(1).restart();
    // 3, which has nothing, votes for it; 2 might not.
    cluster.elect(1);
    assert.equal(cluster.member(1).term, 8);
    assert.deepEqual(termsOf(cluster.member(2)), [...leader, 8], `follower (${name})`);
    assert.deepEqual(termsOf(cluster.member(3)), [...leader, 8]);
  }
});

test('§5.4.2: entries of former terms are not committed by counting them', () => {
  for (const [index, committed] of [
    [2, 1],
    [3, 1],
    [4, 4],
  ] as const) {
    const cluster = clusterOf(3, { 1: [2, 3] });
    const { node } = cluster.member(1);
    node.campaign();
    ask(cluster, 2, { type: MessageType.VoteResp, term: 4 });
    cluster.flush(1);
    assert.equal(node.lastIndex(), 4);
    ask(cluster, 2, { type: AppResp, term: 4, index });
    assert.equal(node.raft.log.committed, committed, `acknowledged ${index}`);
  }
});

test('§5.4.2: figure 8: what a former leader left on a majority may still be overwritten', () => {
  // (a) In term 2, 1 leads and 2 gets its entry. (b) In term 3, 5 leads and has one of its own.
  const cluster = clusterOf(5, { 1: [2], 2: [2], 5: [3] });
  // (c) 1 leads term 4 and brings its old entry to 3: a majority has it, but it is not committed.
  cluster.member(1).storage.setHardState({ term: 3, vote: 0, commit: 1 });
  cluster.member(1).restart();
  cluster.isolate(5);
  cluster.lose = ({ type }) => type === App;
  const { node } = cluster.elect(1);
  const append = { type: App, from: 1, term: 4, index: 1, logTerm: 1, entries: entriesOf(2, [2]) };
  for (const to of [2, 3]) cluster.step(message({ ...append, to }));
  for (const to of [2, 3]) cluster.flush(to);
  for (const m of cluster.take()) cluster.step(m);
  assert.equal(node.raft.tracker.committed(), 2, 'a majority has it');
  assert.equal(node.raft.log.committed, 1);
  // (d) 5 can be elected by 2, 3 and 4, and overwrites it everywhere.
  cluster.heal();
  cluster.isolate(1);
  for (let campaigns = 0; campaigns < 2; campaigns++) {
    cluster.member(5).node.campaign();
    cluster.settle();
  }
  assert.equal(cluster.member(5).isLeader, true);
  cluster.heal();
  cluster.run(3);
  for (const member of cluster.all) assert.equal(termsOf(member)[0], 3, `node ${member.id}`);
});

test('§5.5: requests that are repeated, because their answers were lost, do no harm', () => {
  const cluster = clusterOf(3);
  cluster.elect(1);
  cluster.propose(1, 'a', 'b');
  cluster.flush(1);
  const requests = cluster.take(({ to }) => to === 2);
  for (const m of [...requests, ...requests]) cluster.deliver(m);
  cluster.settle();
  for (const m of requests) cluster.deliver(m);
  cluster.settle();
  assert.deepEqual(cluster.member(2).applied, ['a', 'b']);
});

test('§6: in a transition, elections and commits need a majority of both configurations', () => {
  const cluster = clusterOf(3);
  for (const id of [4, 5]) cluster.addEmpty(id);
  cluster.elect(1);
  cluster.change(1, {
    transition: ConfChangeTransition.JointExplicit,
    changes: [
      { type: ConfChangeType.RemoveNode, nodeId: 2 },
      { type: ConfChangeType.RemoveNode, nodeId: 3 },
      { type: ConfChangeType.AddNode, nodeId: 4 },
      { type: ConfChangeType.AddNode, nodeId: 5 },
    ],
  });
  cluster.run(2);
  const { node } = cluster.member(1);
  const proposeWithout = (...away: readonly number[]) => {
    for (const id of away) cluster.isolate(id);
    const before = node.raft.log.committed;
    cluster.propose(1, 'x');
    cluster.settle();
    const isCommitted = node.raft.log.committed > before;
    cluster.heal();
    cluster.run(2);
    return isCommitted;
  };
  assert.equal(proposeWithout(2, 4), true, '1 and 3 of the old, 1 and 5 of the new');
  assert.equal(proposeWithout(2, 3), false, 'only 1 of the old');
  assert.equal(proposeWithout(4, 5), false, 'only 1 of the new');
  for (const [away, isElected] of [
    [[4, 5], false],
    [[2, 3], false],
    [[2, 4], true],
  ] as const) {
    for (const id of away) cluster.isolate(id);
    stepDown(cluster);
    cluster.member(1).node.campaign();
    cluster.settle();
    assert.equal(cluster.member(1).isLeader, isElected, `without ${away}`);
    cluster.heal();
    stepDown(cluster);
    cluster.elect(1);
    cluster.run(2);
  }
});

/** Node 1 hears of a later term. */
function stepDown(cluster: Cluster): void {
  ask(cluster, 3, { type: MessageType.Heartbeat, term: cluster.member(1).term + 1 });
}

test('§7: a snapshot replaces the log of a follower that lacks it, and only the covered part otherwise', () => {
  const cluster = clusterOf(3);
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, 'a', 'b', 'c');
  cluster.settle();
  cluster.member(1).compact();
  cluster.heal();
  cluster.run(3);
  assert.deepEqual(cluster.member(3).applied, ['a', 'b', 'c']);
  assert.deepEqual(termsOf(cluster.member(3)), [], 'nothing is kept in front of it');

  const ahead = clusterOf(3, { 1: [2, 2, 2] });
  const { confState } = ahead.member(1);
  const snapshot = { metadata: { index: 3, term: 2, confState } };
  const [answer] = ask(ahead, 2, { type: MessageType.Snap, term: 2, snapshot });
  assert.equal(answer?.index, 3, 'what it covers is committed');
  assert.deepEqual(termsOf(ahead.member(1)), [2, 2, 2], 'what follows it stays');
});

test('§8: a leader begins its term with an entry of its own, and reads wait for it', () => {
  const cluster = clusterOf(3);
  cluster.lose = ({ type }) => type === AppResp;
  const { node } = cluster.elect(1);
  assert.deepEqual(termsOf(cluster.member(1)), [2]);
  node.readIndex(bytes('r'));
  cluster.settle();
  assert.equal(cluster.member(1).reads.length, 0);
  cluster.heal();
  cluster.run(2);
  assert.deepEqual(
    cluster.member(1).reads.map(({ index }) => index),
    [2],
  );
});

test('§8: a leader answers a read only after a majority has confirmed that it leads', () => {
  const cluster = clusterOf(3);
  const { node } = cluster.elect(1);
  cluster.isolate(1);
  node.readIndex(bytes('r'));
  cluster.settle();
  assert.equal(cluster.member(1).reads.length, 0);
  assert.equal(stateOf(cluster, 2), Follower);
});
