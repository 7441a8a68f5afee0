/** Regressions of linearizable reads. The numbers are those of the list the project keeps of them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfChangeType,
  EntryType,
  ErrConfig,
  MemoryStorage,
  MessageType,
  message,
  RawNode,
} from '../../../manager/raft/index.ts';
import { Cluster } from '../support/cluster.ts';
import { bytes, text } from '../support/member.ts';

const answersOf = (cluster: Cluster, id: number) =>
  cluster.member(id).reads.map(({ index, requestCtx }) => [index, text(requestCtx)]);

test('1: the late answer to a read confirms no later read with the same context', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  node.readIndex(bytes('a'));
  cluster.flush(1);
  for (const m of cluster.take()) cluster.deliver(m);
  cluster.flush(2);
  cluster.flush(3);
  // The answers to the first round of heartbeats are on their way, when 2 takes over and commits more.
  const late = cluster.take((m) => m.to === 1);
  cluster.isolate(1);
  cluster.elect(2);
  cluster.propose(2, 'newer');
  cluster.settle();
  // The old leader does not know. The caller repeats its read with the same context.
  node.readIndex(bytes('a'));
  cluster.flush(1);
  for (const m of late) cluster.step(m);
  cluster.flush(1);
  assert.deepEqual(answersOf(cluster, 1), [[2, 'a']], 'the first read, and it alone');
});

test('1: reads with one and the same context are each answered', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  for (let i = 0; i < 3; i++) node.readIndex(bytes('a'));
  cluster.settle();
  assert.deepEqual(answersOf(cluster, 1), [
    [2, 'a'],
    [2, 'a'],
    [2, 'a'],
  ]);
});

test('2: a read before the first commit of the term waits for it, and is not forgotten', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  cluster.propose(1, 'x');
  cluster.settle();
  cluster.lose = (m) => m.type === MessageType.AppResp && m.to === 2;
  cluster.elect(2);
  const { node } = cluster.member(2);
  node.readIndex(bytes('early'));
  cluster.settle();
  cluster.tick(2);
  cluster.settle();
  assert.deepEqual(answersOf(cluster, 2), []);
  cluster.heal();
  cluster.tick(2);
  cluster.settle();
  assert.deepEqual(answersOf(cluster, 2), [[node.status().hardState.commit, 'early']]);
});

test('2: a lone leader does not answer with a commit index from before its restart', () => {
  const cluster = new Cluster({ voters: [1] });
  cluster.elect(1);
  cluster.propose(1, 'x', 'y');
  cluster.settle();
  const member = cluster.member(1);
  const { term, vote, commit } = member.node.status().hardState;
  // The commit index alone is written without fsync, and was lost.
  member.storage.setHardState({ term, vote, commit: 2 });
  member.restart();
  member.node.campaign();
  cluster.settle();
  member.node.readIndex(bytes('r'));
  cluster.settle();
  assert.ok(member.reads[0]!.index >= commit);
});

test('2: a read at a lone leader waits until its own term has a commit', () => {
  const cluster = new Cluster({ voters: [1] });
  const { node } = cluster.member(1);
  node.campaign();
  // The vote is durable, so it leads; the entry of its term is not handed out yet.
  node.ready();
  node.advance();
  assert.equal(cluster.member(1).isLeader, true);
  node.readIndex(bytes('r'));
  assert.deepEqual(node.raft.readStates, []);
  cluster.settle();
  assert.deepEqual(answersOf(cluster, 1), [[2, 'r']]);
  assert.equal(node.raft.reads.waiting, 0, 'answered, and not to be answered again');
});

test('3: a later read is not answered with the index of an earlier one', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  cluster.isolate(3);
  node.readIndex(bytes('first'));
  cluster.propose(1, 'between');
  cluster.settle();
  node.readIndex(bytes('second'));
  cluster.settle();
  assert.deepEqual(answersOf(cluster, 1), [
    [2, 'first'],
    [3, 'second'],
  ]);
});

test('a batch of reads needs one round: the answer to the last confirms all', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  for (const each of ['a', 'b', 'c']) node.readIndex(bytes(each));
  cluster.flush(1);
  const heartbeats = cluster.take((m) => m.type === MessageType.Heartbeat);
  cluster.deliver(heartbeats.filter(({ to }) => to === 2).at(-1)!);
  cluster.settle();
  assert.deepEqual(
    answersOf(cluster, 1).map(([, ctx]) => ctx),
    ['a', 'b', 'c'],
  );
});

test('a learner does not confirm reads', () => {
  const cluster = new Cluster({ voters: [1, 2], learners: [3] });
  const { node } = cluster.elect(1);
  cluster.cut(1, 2);
  node.readIndex(bytes('a'));
  cluster.settle();
  assert.deepEqual(answersOf(cluster, 1), []);
});

test('a removal that shrinks the quorum lets waiting reads go', () => {
  const cluster = new Cluster({ voters: [1, 2] });
  const { node, id } = cluster.elect(1);
  node.proposeConfChange({ type: 1, nodeId: 2 });
  cluster.flush(1);
  for (const m of cluster.take()) cluster.deliver(m);
  cluster.flush(2);
  const acks = cluster.take();
  cluster.cut(1, 2);
  node.readIndex(bytes('a'));
  for (const m of acks) cluster.step(m);
  cluster.settle();
  assert.deepEqual(
    answersOf(cluster, id).map(([, ctx]) => ctx),
    ['a'],
  );
});

test('a malformed answer to a read is ignored', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  const { node, term } = cluster.member(2);
  const answer = { type: MessageType.ReadIndexResp, from: 1, to: 2, term, index: 9 };
  const entry = { term: 0, index: 0, type: EntryType.Normal, data: bytes('r') };
  node.step(message(answer));
  node.step(message({ ...answer, entries: [entry, entry] }));
  cluster.settle();
  assert.deepEqual(answersOf(cluster, 2), []);
});

test('lease-based reads answer at once, and need CheckQuorum', () => {
  const config = { readOnlyOption: 'lease-based', checkQuorum: true } as const;
  const cluster = new Cluster({ config });
  const { node } = cluster.elect(1);
  cluster.isolate(1);
  node.readIndex(bytes('a'));
  cluster.flush(1);
  assert.deepEqual(answersOf(cluster, 1), [[2, 'a']]);
  // Until the lease is over.
  cluster.tick(1, 20);
  cluster.flush(1);
  node.readIndex(bytes('b'));
  cluster.flush(1);
  assert.deepEqual(answersOf(cluster, 1), [[2, 'a']]);
  assert.throws(
    () =>
      new RawNode({
        id: 1,
        electionTick: 10,
        heartbeatTick: 1,
        storage: new MemoryStorage(),
        maxSizePerMsg: 0,
        maxInflightMsgs: 1,
        readOnlyOption: 'lease-based',
        random: () => 0,
      }),
    ErrConfig,
  );
});

test('without answers within an election timeout there is no lease: a round decides', () => {
  const config = { readOnlyOption: 'lease-based', checkQuorum: true } as const;
  const cluster = new Cluster({ config });
  const { node } = cluster.elect(1);
  cluster.isolate(1);
  // The check of the quorum passes on what was heard before it. From then on nothing is heard, and the
  // others may elect somebody before the next check.
  cluster.tick(1, 10);
  cluster.flush(1);
  cluster.take();
  assert.equal(cluster.member(1).isLeader, true);
  node.readIndex(bytes('a'));
  cluster.flush(1);
  assert.deepEqual(answersOf(cluster, 1), []);
  cluster.rejoin(1, [2, 3]);
  cluster.settle();
  assert.deepEqual(answersOf(cluster, 1), [[2, 'a']]);
});

test('a leader that has offered its place has no lease in its term any more', () => {
  const config = { readOnlyOption: 'lease-based', checkQuorum: true, preVote: true } as const;
  const cluster = new Cluster({ config });
  const { node } = cluster.elect(1);
  node.transferLeader(2);
  cluster.flush(1);
  // The offer is under way for so long that the leader has given up the transfer.
  const [offer] = cluster.take();
  assert.equal(offer?.type, MessageType.TimeoutNow);
  cluster.run(10);
  assert.equal(node.status().leadTransferee, 0);
  assert.equal(cluster.member(1).isLeader, true);
  cluster.isolate(1);
  cluster.step(offer!);
  cluster.settle();
  cluster.propose(2, 'newer');
  cluster.settle();
  assert.equal(cluster.leader.id, 2);
  node.readIndex(bytes('stale'));
  cluster.settle();
  assert.deepEqual(answersOf(cluster, 1), []);
});

test('elected anew, it has a lease again', () => {
  const config = { readOnlyOption: 'lease-based', checkQuorum: true } as const;
  const cluster = new Cluster({ config });
  cluster.elect(1).node.transferLeader(2);
  cluster.settle();
  cluster.member(2).node.transferLeader(1);
  cluster.settle();
  cluster.isolate(1);
  cluster.member(1).node.readIndex(bytes('a'));
  cluster.flush(1);
  assert.equal(answersOf(cluster, 1).length, 1);
});

test('a removed leader that leads on does not answer reads in the name of the last voter', () => {
  const cluster = new Cluster({ voters: [1, 2] });
  const { node } = cluster.elect(1);
  cluster.change(1, { type: ConfChangeType.RemoveNode, nodeId: 1 });
  assert.equal(cluster.member(1).isLeader, true);
  cluster.isolate(1);
  cluster.elect(2);
  cluster.propose(2, 'newer');
  cluster.settle();
  node.readIndex(bytes('stale'));
  cluster.settle();
  assert.deepEqual(answersOf(cluster, 1), []);
});

test('followers and learners pass reads on, whoever is asked, and get the answer', () => {
  const cluster = new Cluster({ voters: [1, 2], learners: [3] });
  cluster.elect(1);
  cluster.propose(1, 'a');
  cluster.settle();
  for (const id of [2, 3]) cluster.member(id).node.readIndex(bytes(`from ${id}`));
  cluster.settle();
  assert.deepEqual(answersOf(cluster, 2), [[3, 'from 2']]);
  assert.deepEqual(answersOf(cluster, 3), [[3, 'from 3']]);
  // Without a leader there is nobody to ask; the caller asks again.
  cluster.member(3).node.forgetLeader();
  cluster.member(3).node.readIndex(bytes('nobody'));
  cluster.settle();
  assert.equal(answersOf(cluster, 3).length, 1);
});

test('a follower that counts on leases does not forget its leader', () => {
  const config = { readOnlyOption: 'lease-based', checkQuorum: true } as const;
  for (const [init, lead] of [
    [config, 1],
    [{ checkQuorum: true }, 0],
  ] as const) {
    const cluster = new Cluster({ config: init });
    cluster.elect(1);
    cluster.member(2).node.forgetLeader();
    assert.equal(cluster.member(2).node.status().softState.lead, lead);
  }
});
