/** Regressions of snapshots: every way into one, and every way out. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfChangeType,
  type ConfState,
  EMPTY_CONF_STATE,
  EntryType,
  ErrSnapshotTemporarilyUnavailable,
  MemoryStorage,
  type Message,
  MessageType,
  message,
  RaftFault,
  RawNode,
  type Snapshot,
  StateType,
} from '../../../manager/raft/index.ts';
import { Cluster } from '../support/cluster.ts';

const isSnap = (m: Message) => m.type === MessageType.Snap;

const stateOf = (cluster: Cluster, id: number) =>
  cluster.member(1).node.raft.tracker.progress.get(id)!.state;

/** 3 is behind a log that was compacted, and the snapshot for it is on the wire. */
function snapshotUnderWay(): { cluster: Cluster; snap: Message } {
  const cluster = new Cluster();
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, 'a', 'b', 'c');
  cluster.settle();
  cluster.member(1).compact();
  cluster.heal();
  let snap: Message | undefined;
  cluster.lose = (m) => {
    if (isSnap(m)) snap = m;
    return isSnap(m);
  };
  cluster.run(2);
  assert.equal(stateOf(cluster, 3), 'StateSnapshot');
  cluster.heal();
  return { cluster, snap: snap! };
}

function snapshotAt(index: number, voters: readonly number[], more = {}): Snapshot {
  return { metadata: { index, term: 5, confState: { ...EMPTY_CONF_STATE, voters, ...more } } };
}

/** A node that knows nothing. */
function blank(id = 3, storage = new MemoryStorage()): RawNode {
  return new RawNode({
    id,
    electionTick: 10,
    heartbeatTick: 1,
    storage,
    maxSizePerMsg: 0,
    maxInflightMsgs: 10,
    random: () => 0,
  });
}

function give(node: RawNode, snapshot: Snapshot): void {
  node.step(message({ type: MessageType.Snap, from: 1, to: node.raft.id, term: 5, snapshot }));
}

test('13: a snapshot newer than the one expected releases the follower', () => {
  const { cluster, snap } = snapshotUnderWay();
  cluster.propose(1, 'd');
  cluster.settle();
  cluster.member(1).snapshot();
  const newer = cluster.member(1).storage.snapshot();
  assert.ok(newer.metadata.index > snap.snapshot!.metadata.index);
  cluster.deliver({ ...snap, snapshot: newer });
  cluster.settle();
  assert.equal(stateOf(cluster, 3), 'StateReplicate');
  assert.deepEqual(cluster.member(3).applied, ['a', 'b', 'c', 'd']);
});

test('13: an older snapshot from somebody else releases it, if the log can take over', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, 'a');
  cluster.settle();
  const older = cluster.member(2).storage.snapshot();
  cluster.propose(1, 'b', 'c');
  cluster.settle();
  cluster.member(1).compact(2);
  cluster.heal();
  cluster.lose = isSnap;
  cluster.run(2);
  assert.equal(stateOf(cluster, 3), 'StateSnapshot');
  cluster.heal();
  const { term } = cluster.member(1);
  cluster.deliver(message({ type: MessageType.Snap, from: 1, to: 3, term, snapshot: older }));
  cluster.settle();
  assert.equal(stateOf(cluster, 3), 'StateReplicate');
  assert.deepEqual(cluster.member(3).applied, ['a', 'b', 'c']);
});

test('13: if the log was compacted further meanwhile, another snapshot follows by itself', () => {
  const { cluster, snap } = snapshotUnderWay();
  cluster.propose(1, 'd', 'e');
  cluster.settle();
  cluster.member(1).compact();
  cluster.deliver(snap);
  cluster.settle();
  assert.equal(stateOf(cluster, 3), 'StateReplicate');
  assert.deepEqual(cluster.member(3).applied, ['a', 'b', 'c', 'd', 'e']);
});

test('14: a follower in the middle of replication is compacted away and comes back', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  cluster.lose = (m) => m.to === 3 && m.type === MessageType.App;
  cluster.propose(1, 'a', 'b');
  cluster.settle();
  assert.equal(stateOf(cluster, 3), 'StateReplicate');
  cluster.member(1).compact();
  cluster.heal();
  cluster.run(3);
  assert.equal(stateOf(cluster, 3), 'StateReplicate');
  assert.deepEqual(cluster.member(3).applied, ['a', 'b']);
});

test('a reported failure leads to another snapshot, at the next heartbeat and not before', () => {
  const { cluster } = snapshotUnderWay();
  cluster.member(1).node.reportSnapshot(3, false);
  assert.equal(stateOf(cluster, 3), 'StateProbe');
  const { match, next } = cluster.member(1).node.raft.tracker.progress.get(3)!;
  assert.equal(next, match + 1, 'not behind a snapshot that never came');
  cluster.settle();
  assert.equal(cluster.member(3).applied.length, 0);
  cluster.tick(1);
  cluster.settle();
  assert.deepEqual(cluster.member(3).applied, ['a', 'b', 'c']);
});

test('a reported success lets probing go on behind the snapshot', () => {
  const { cluster, snap } = snapshotUnderWay();
  cluster.deliver(snap);
  cluster.member(1).node.reportSnapshot(3, true);
  const { next, paused } = cluster.member(1).node.raft.tracker.progress.get(3)!;
  assert.equal(next, snap.snapshot!.metadata.index + 1);
  assert.equal(paused, true);
  cluster.settle();
  assert.equal(stateOf(cluster, 3), 'StateReplicate');
});

test('44: repeated and stray reports change nothing', () => {
  const { cluster, snap } = snapshotUnderWay();
  cluster.deliver(snap);
  cluster.settle();
  for (const ok of [true, false, true]) cluster.member(1).node.reportSnapshot(3, ok);
  cluster.member(1).node.reportSnapshot(9, false);
  cluster.member(2).node.reportSnapshot(3, false);
  assert.equal(stateOf(cluster, 3), 'StateReplicate');
});

test('a rejection of an old append during a snapshot does not disturb it', () => {
  const { cluster, snap } = snapshotUnderWay();
  const { term } = cluster.member(1);
  const index = snap.snapshot!.metadata.index;
  cluster.step(
    message({
      type: MessageType.AppResp,
      from: 3,
      to: 1,
      term,
      index,
      reject: true,
      rejectHint: 2,
    }),
  );
  const progress = cluster.member(1).node.raft.tracker.progress.get(3)!;
  assert.equal(progress.next, index + 1);
  assert.equal(progress.state, 'StateSnapshot');
});

test('no snapshot is sent to a node that has not been heard from, or while there is none', () => {
  const cluster = new Cluster({ config: { checkQuorum: true, preVote: true } });
  const { node, storage } = cluster.elect(1);
  cluster.isolate(3);
  cluster.propose(1, 'a', 'b', 'c');
  cluster.settle();
  cluster.run(25);
  cluster.member(1).compact();
  let sent = 0;
  cluster.lose = (m) => {
    if (isSnap(m)) sent++;
    return false;
  };
  node.reportUnreachable(3);
  cluster.propose(1, 'd');
  cluster.settle();
  assert.equal(sent, 0, 'not heard from');

  let isAvailable = false;
  storage.makeSnapshot = () => {
    if (!isAvailable) throw new ErrSnapshotTemporarilyUnavailable();
  };
  cluster.rejoin(3, [1, 2]);
  cluster.run(3);
  assert.equal(sent, 0, 'not available');
  // It is no error of the answer that made the leader ask for one.
  const { term } = node.raft;
  assert.equal(stateOf(cluster, 3), 'StateProbe');
  node.step(message({ type: MessageType.HeartbeatResp, from: 3, to: 1, term }));
  isAvailable = true;
  cluster.run(3);
  assert.ok(sent > 0);
  assert.equal(cluster.member(3).node.status().applied, node.status().applied);
});

test('a snapshot from before a node was added is not sent to it', () => {
  const cluster = new Cluster({ voters: [1, 2] });
  const { node, storage } = cluster.elect(1);
  cluster.propose(1, 'a');
  cluster.settle();
  cluster.member(1).compact();
  const makeSnapshot = storage.makeSnapshot;
  storage.makeSnapshot = () => {};
  cluster.addEmpty(3);
  cluster.change(1, { type: ConfChangeType.AddLearnerNode, nodeId: 3 });
  cluster.run(3);
  assert.deepEqual(storage.snapshot().metadata.confState.learners, []);
  assert.equal(stateOf(cluster, 3), 'StateProbe', 'waits for one that it is in');
  storage.makeSnapshot = makeSnapshot;
  cluster.run(3);
  assert.deepEqual(cluster.member(3).applied, ['a']);
  assert.equal(cluster.member(3).node.status().applied, node.status().applied);
});

test('a log that is compacted without a snapshot is an error of the storage', () => {
  const storage = new MemoryStorage();
  const confState = { ...EMPTY_CONF_STATE, voters: [1, 2] };
  storage.initialState = () => ({ hardState: { term: 1, vote: 0, commit: 3 }, confState });
  storage.append([1, 2, 3].map((index) => ({ index, term: 1, type: EntryType.Normal })));
  const init = { electionTick: 10, heartbeatTick: 1, maxSizePerMsg: 1_000, maxInflightMsgs: 9 };
  const node = new RawNode({ ...init, id: 1, storage, random: () => 0 });
  node.campaign();
  const ready = node.ready();
  assert.equal(ready.committedEntries.length, 3);
  node.advance();
  node.step(message({ type: MessageType.VoteResp, from: 2, to: 1, term: 2 }));
  storage.compact(3);
  const rejection = { type: MessageType.AppResp, from: 2, to: 1, term: 2, index: 3 };
  assert.throws(
    () => node.step(message({ ...rejection, reject: true })),
    /^Error: bug of the storage: the log is compacted, but there is no snapshot$/,
  );
});

test('an entry that a snapshot has brought already is left out when it comes to be applied', () => {
  const node = blank();
  give(node, snapshotAt(11, [1, 2], { learners: [3] }));
  const add = (nodeId: number) => ({ type: ConfChangeType.AddNode, nodeId });
  assert.deepEqual(node.applyConfChange(add(4), 11).voters, [1, 2]);
  assert.deepEqual(node.applyConfChange(add(4), 12).voters, [1, 2, 4]);
});

test('a snapshot of what the log has already only moves the commit index', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  cluster.propose(1, 'a');
  cluster.flush(1);
  for (const m of cluster.take(({ to }) => to === 3)) cluster.deliver(m);
  cluster.flush(3);
  assert.equal(cluster.member(3).node.raft.log.committed, 2);
  const { term, node } = cluster.member(3);
  const confState = node.status().confState;
  const snapshot = { metadata: { index: 3, term, confState } };
  node.step(message({ type: MessageType.Snap, from: 1, to: 3, term, snapshot }));
  assert.equal(node.raft.log.committed, 3);
  assert.equal(node.raft.log.unstable.snapshot, undefined);
});

test('a snapshot that does not know the node is ignored; an outgoing voter counts as known', () => {
  const stranger = blank();
  give(stranger, snapshotAt(11, [1, 2]));
  assert.equal(stranger.lastIndex(), 0);
  const learner = blank();
  give(learner, snapshotAt(11, [1, 2], { learners: [3] }));
  assert.equal(learner.lastIndex(), 11);
  assert.equal(learner.raft.isLearner, true);
});

test('22: a node that is an outgoing voter only restores the snapshot', () => {
  const node = blank();
  give(node, snapshotAt(11, [1, 2], { votersOutgoing: [1, 2, 3], autoLeave: true }));
  assert.equal(node.lastIndex(), 11);
  assert.deepEqual(node.status().confState.votersOutgoing, [1, 2, 3]);
});

test('21: a transition survives being restored, from a snapshot and from storage', () => {
  const joint = {
    voters: [1, 2, 3],
    votersOutgoing: [1, 2, 4],
    learners: [5],
    learnersNext: [4],
    autoLeave: true,
  };
  const node = blank();
  give(node, snapshotAt(11, joint.voters, joint));
  assert.deepEqual(node.status().confState, joint);

  const storage = new MemoryStorage();
  storage.applySnapshot(snapshotAt(11, joint.voters, joint));
  const restarted = new RawNode({
    id: 3,
    electionTick: 10,
    heartbeatTick: 1,
    storage,
    maxSizePerMsg: 0,
    maxInflightMsgs: 10,
    random: () => 0,
  });
  assert.deepEqual(restarted.status().confState, joint);
});

test('a node does not campaign while it waits for its snapshot to be durable', () => {
  const node = blank();
  give(node, snapshotAt(11, [1, 2, 3]));
  node.campaign();
  assert.equal(node.raft.state, StateType.Follower);
  node.ready();
  node.campaign();
  assert.equal(node.raft.state, StateType.Follower);
  node.advance();
  node.campaign();
  assert.equal(node.raft.state, StateType.Candidate);
});

test('41: two snapshots right after another leave the newer one', () => {
  const node = blank();
  give(node, snapshotAt(11, [1, 2, 3]));
  const first = node.ready();
  give(node, snapshotAt(15, [1, 2, 3]));
  node.advance();
  const second = node.ready();
  node.advance();
  assert.equal(first.snapshot?.metadata.index, 11);
  assert.equal(second.snapshot?.metadata.index, 15);
  assert.equal(node.status().applied, 15);
  assert.equal(node.raft.log.unstable.snapshot, undefined);
});

test('42: the snapshot of the storage leaves the core as it is', () => {
  const { cluster, snap } = snapshotUnderWay();
  const stored = cluster.member(1).storage.durableSnapshot;
  assert.equal(snap.snapshot, stored);
});

test('38: a node that has lost acknowledged entries halts and says so', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  cluster.propose(1, 'a', 'b');
  cluster.settle();
  // 3 comes up with its disk as it was in the beginning.
  const old = new Cluster();
  const lost = old.member(3);
  const { term } = cluster.member(1);
  lost.node.step(message({ type: MessageType.Heartbeat, from: 1, to: 3, term, commit: 4 }));
  assert.match(lost.node.status().fault ?? '', /tocommit\(4\) is out of range \[lastIndex\(1\)\]/);
  // From then on it neither votes, nor acknowledges, nor campaigns.
  lost.node.step(
    message({ type: MessageType.Vote, from: 2, to: 3, term: 9, index: 9, logTerm: 9 }),
  );
  for (let i = 0; i < 50; i++) lost.node.tick();
  assert.equal(lost.node.hasReady(), false);
  assert.throws(() => lost.node.propose(new Uint8Array(1)), /dropped/);
});

test('a snapshot with an impossible configuration halts the node instead of the process', () => {
  const impossible: readonly (readonly [number[], Partial<ConfState>])[] = [
    [[3], { votersOutgoing: [3], learnersNext: [9] }],
    [[3], { learners: [3] }],
    [[3], { learnersNext: [3] }],
    [[3], { autoLeave: true }],
    [[1, 3], { votersOutgoing: [1, 3], learners: [1] }],
    [[3, 3], {}],
    [[], { votersOutgoing: [3] }],
  ];
  for (const [voters, rest] of impossible) {
    const node = blank();
    give(node, snapshotAt(11, voters, rest));
    assert.match(node.status().fault ?? '', /no valid configuration/, JSON.stringify(rest));
  }
  const storage = new MemoryStorage();
  storage.applySnapshot(snapshotAt(11, [3], { learners: [3] }));
  assert.throws(() => blank(3, storage), RaftFault);
});
