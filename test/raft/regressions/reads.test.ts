/** Regressions of linearizable reads. The numbers are those of the list the project keeps of them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
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
  node.step(message({ type: MessageType.ReadIndexResp, from: 1, to: 2, term, index: 9 }));
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
