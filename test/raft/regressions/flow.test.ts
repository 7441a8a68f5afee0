/** Regressions of replication and its flow control. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EntryType,
  ErrProposalDropped,
  type Message,
  MessageType,
  message,
} from '../../../manager/raft/index.ts';
import { Cluster } from '../support/cluster.ts';
import { bytes } from '../support/member.ts';

const progressOf = (cluster: Cluster, leader: number, id: number) => {
  const { node } = cluster.member(leader);
  return node.raft.tracker.progress.get(id)!.describe();
};

const isAppTo = (id: number) => (m: Message) => m.type === MessageType.App && m.to === id;

/** Leads with `count` entries that 3 has not got, every message to it lost. */
function leaderAhead(count: number, config: object): Cluster {
  const cluster = new Cluster({ config });
  cluster.elect(1);
  cluster.isolate(3);
  for (let i = 0; i < count; i++) {
    cluster.propose(1, `t${i}`);
    cluster.settle();
  }
  return cluster;
}

test('4: a throttled follower behind a compacted log gets a snapshot, no append without a term', () => {
  const cluster = leaderAhead(8, { maxInflightMsgs: 3 });
  cluster.member(1).compact();
  cluster.heal();
  cluster.lose = (m) => {
    if (m.type === MessageType.App && m.to === 3) assert.ok(m.logTerm > 0, 'append with term 0');
    return false;
  };
  cluster.run(4);
  assert.deepEqual(cluster.member(3).applied, cluster.member(1).applied);
  assert.equal(cluster.member(3).node.status().fault, undefined);
});

test('7: the bytes in flight are forgotten with the leadership', () => {
  const cluster = leaderAhead(0, { maxInflightMsgs: 10, maxInflightBytes: 40, maxSizePerMsg: 20 });
  for (let i = 0; i < 5; i++) cluster.propose(1, 'ten bytes.');
  cluster.settle();
  assert.match(progressOf(cluster, 1, 3), /\[full\]/);
  cluster.member(1).node.raft.reset(cluster.member(1).term + 1);
  assert.doesNotMatch(progressOf(cluster, 1, 3), /full/);
});

test('11: when all messages of a full window are lost, an empty append per heartbeat revives it', () => {
  const cluster = leaderAhead(6, { maxInflightMsgs: 3 });
  assert.equal(progressOf(cluster, 1, 3).includes('inflight=3[full]'), true);
  cluster.heal();
  cluster.run(3);
  assert.deepEqual(cluster.member(3).applied, cluster.member(1).applied);
  assert.match(progressOf(cluster, 1, 3), /^StateReplicate/);
});

test('12: a follower that has everything returns to Replicate after it was reported unreachable', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  node.reportUnreachable(2);
  assert.match(progressOf(cluster, 1, 2), /^StateProbe/);
  cluster.tick(1);
  cluster.settle();
  assert.match(progressOf(cluster, 1, 2), /^StateReplicate/);
});

test('the window bounds the messages in flight, and acknowledgements open it', () => {
  const cluster = new Cluster({ config: { maxInflightMsgs: 4, maxSizePerMsg: 0 } });
  cluster.elect(1);
  for (let i = 0; i < 10; i++) cluster.propose(1, `t${i}`);
  cluster.flush(1);
  const first = cluster.take(isAppTo(2));
  assert.equal(first.length, 4);
  for (const m of first) cluster.deliver(m);
  cluster.settle();
  assert.equal(cluster.member(2).applied.length, 10);
});

test('an acknowledgement lets go as many messages as the window has room for', () => {
  const cluster = new Cluster({ config: { maxSizePerMsg: 0, maxInflightMsgs: 3 } });
  const { node } = cluster.elect(1);
  node.reportUnreachable(2);
  cluster.propose(1, 'a', 'b', 'c', 'd', 'e');
  cluster.flush(1);
  const probes = cluster.take(isAppTo(2));
  assert.equal(probes.length, 1, 'in Probe');
  cluster.take();
  for (const m of probes) cluster.deliver(m);
  cluster.flush(2);
  for (const m of cluster.take()) cluster.deliver(m);
  cluster.flush(1);
  const indexes = cluster.take(isAppTo(2)).map((m) => m.entries[0]?.index);
  assert.deepEqual(
    indexes.filter((index) => index !== undefined),
    [4, 5, 6],
  );
});

test('a heartbeat is what the follower was told last of the commit index', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  cluster.isolate(2);
  cluster.propose(1, 'a');
  cluster.settle();
  const progress = node.raft.tracker.progress.get(2)!;
  assert.deepEqual([progress.match, progress.sentCommit], [2, 3]);
  cluster.tick(1);
  assert.equal(progress.sentCommit, 2, 'no more than it has');
});

test('maxSizePerMsg 0 means one entry per message, and a larger entry still goes', () => {
  const cluster = new Cluster({ config: { maxSizePerMsg: 0 } });
  cluster.elect(1);
  cluster.isolate(2);
  cluster.propose(1, 'x'.repeat(1000), 'y', 'z');
  cluster.settle();
  cluster.heal();
  cluster.tick(1);
  const sizes: number[] = [];
  cluster.lose = (m) => {
    if (m.type === MessageType.App && m.entries.length > 0) sizes.push(m.entries.length);
    return false;
  };
  cluster.settle();
  assert.deepEqual(cluster.member(2).applied, cluster.member(1).applied);
  assert.ok(sizes.length > 0 && sizes.every((size) => size === 1));
});

test('35: a heartbeat commits no further than the follower is known to have', () => {
  const cluster = leaderAhead(3, {});
  cluster.tick(1);
  cluster.flush(1);
  const heartbeats = cluster.take((m) => m.type === MessageType.Heartbeat);
  const commits = Object.fromEntries(heartbeats.map(({ to, commit }) => [to, commit]));
  assert.deepEqual(commits, { 2: 5, 3: 2 });
});

test('36: appends and their answers may arrive in any order', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  for (const each of ['a', 'b', 'c']) cluster.propose(1, each);
  cluster.flush(1);
  for (const m of cluster.take(isAppTo(2)).reverse()) cluster.deliver(m);
  cluster.flush(2);
  for (const m of cluster.take(({ to }) => to === 1).reverse()) cluster.deliver(m);
  cluster.settle();
  cluster.tick(1);
  cluster.settle();
  for (const member of cluster.all) assert.deepEqual(member.applied, ['a', 'b', 'c']);
});

/** Comes up with these terms in its log, from index 2 on. */
function startWith(cluster: Cluster, id: number, terms: readonly number[]): void {
  const { storage } = cluster.member(id);
  storage.append(terms.map((term, i) => ({ term, index: i + 2, type: EntryType.Normal })));
  storage.setHardState({ term: terms.at(-1)!, vote: 0, commit: 1 });
  cluster.member(id).restart();
}

test('36: a rejection that comes late is no reason to send anything', () => {
  const cluster = new Cluster();
  const { node, term } = cluster.elect(1);
  cluster.propose(1, 'a', 'b');
  cluster.settle();
  const before = node.raft.tracker.progress.get(2)?.describe();
  const rejection = { type: MessageType.AppResp, from: 2, to: 1, term, reject: true };
  node.step(message({ ...rejection, index: 3, rejectHint: 1, logTerm: 1 }));
  assert.equal(node.hasReady(), false);
  assert.equal(node.raft.tracker.progress.get(2)?.describe(), before);
});

test('a diverging tail is found with one probe per term, not one per entry', () => {
  const times = (count: number, term: number) => new Array<number>(count).fill(term);
  const cases: readonly (readonly [number[], number[]])[] = [
    [
      [...times(20, 2), ...times(20, 4), ...times(20, 6)],
      [...times(20, 2), ...times(30, 3), ...times(30, 5)],
    ],
    // Only the leader can skip, only the follower can skip.
    [
      [2, ...times(90, 9)],
      [2, ...times(60, 3)],
    ],
    [
      [2, ...times(90, 3), 9],
      [2, ...times(3, 3), ...times(80, 8)],
    ],
  ];
  for (const [leads, follows] of cases) {
    const cluster = new Cluster();
    startWith(cluster, 1, leads);
    startWith(cluster, 2, leads);
    startWith(cluster, 3, follows);
    let rejections = 0;
    cluster.lose = (m) => {
      if (m.type === MessageType.AppResp && m.reject) rejections++;
      return false;
    };
    cluster.elect(1);
    cluster.run(3);
    assert.deepEqual(cluster.member(3).log(), cluster.member(1).log());
    assert.ok(rejections >= 1 && rejections <= 3, `${rejections} rejections`);
  }
});

test('18: proposals are dropped above the limit, counted by payload, and all of it is given back', () => {
  const cluster = new Cluster({ config: { maxUncommittedEntriesSize: 100 } });
  const { node } = cluster.elect(1);
  cluster.isolate(1);
  node.propose(new Uint8Array(1000));
  assert.throws(() => node.propose(bytes('x')), ErrProposalDropped, 'above the limit');
  // No payload, no refusal, and refused changes do not count either.
  node.propose(new Uint8Array(0));
  assert.throws(
    () => node.proposeConfChange({ type: 0, nodeId: 4, context: new Uint8Array(200) }),
    ErrProposalDropped,
  );
  assert.equal(node.raft.uncommittedSize, 1000);
  cluster.heal();
  cluster.run(2);
  assert.equal(node.raft.uncommittedSize, 0);
  node.propose(new Uint8Array(60));
  node.propose(new Uint8Array(40));
  assert.equal(node.raft.uncommittedSize, 100, 'just full');
  assert.throws(() => node.propose(bytes('x')), ErrProposalDropped);
  cluster.settle();
  assert.equal(node.raft.uncommittedSize, 0);
});

test('18: a change that was dropped for its size does not block the next', () => {
  const cluster = new Cluster({ config: { maxUncommittedEntriesSize: 10 } });
  const { node } = cluster.elect(1);
  cluster.isolate(1);
  node.propose(new Uint8Array(20));
  const big = { type: 0, nodeId: 4, context: new Uint8Array(20) } as const;
  assert.throws(() => node.proposeConfChange(big), ErrProposalDropped);
  cluster.heal();
  cluster.run(2);
  node.proposeConfChange(big);
  cluster.settle();
  assert.deepEqual(node.status().confState.voters, [1, 2, 3, 4]);
});

test('the commit index reaches an idle follower with the acknowledgement, not with the heartbeat', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  cluster.propose(1, 'a');
  cluster.settle();
  for (const member of cluster.all) assert.equal(member.node.status().hardState.commit, 3);
});

test('18: a new leader starts with nothing counted', () => {
  const cluster = new Cluster({ config: { maxUncommittedEntriesSize: 100 } });
  cluster.elect(1);
  cluster.isolate(1);
  cluster.member(1).node.propose(new Uint8Array(1000));
  cluster.settle();
  cluster.elect(2);
  cluster.heal();
  cluster.run(3);
  cluster.elect(1);
  assert.equal(cluster.member(1).node.raft.uncommittedSize, 0);
});

test('an append from before the start of the log is answered with what is committed', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  cluster.propose(1, 'a');
  cluster.flush(1);
  const old = cluster.take(isAppTo(2));
  for (const m of old) cluster.step(m);
  cluster.settle();
  cluster.propose(1, 'b', 'c');
  cluster.settle();
  cluster.member(2).compact();
  for (const m of old) cluster.step(m);
  cluster.flush(2);
  const answers = cluster.take(({ to }) => to === 1);
  assert.ok(answers.length > 0);
  for (const { reject, index } of answers) assert.deepEqual([reject, index], [false, 5]);
});

test('an append that is no piece of a log is ignored', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  const { node, term } = cluster.member(2);
  const app = (entries: readonly (readonly [number, number])[]) =>
    message({
      type: MessageType.App,
      from: 1,
      to: 2,
      term,
      index: 2,
      logTerm: term,
      commit: 2,
      entries: entries.map(([index, at]) => ({ index, term: at, type: EntryType.Normal })),
    });
  const wrong = [
    [[4, term]],
    [
      [3, term],
      [5, term],
    ],
    [[3, term - 1]],
    [[3, term + 1]],
  ] as const;
  for (const entries of wrong) node.step(app(entries));
  assert.equal(node.hasReady(), false);
  assert.equal(node.lastIndex(), 2);
  node.step(app([[3, term]]));
  assert.equal(node.lastIndex(), 3);
});
