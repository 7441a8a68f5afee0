import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfChangeType, MessageType } from '../../manager/raft/index.ts';
import { Cluster, type ClusterInit } from './support/cluster.ts';

const MODES: readonly (readonly [string, ClusterInit])[] = [
  ['synchronous', {}],
  ['asynchronous storage writes', { config: { asyncStorageWrites: true } }],
  ['PreVote and CheckQuorum', { config: { preVote: true, checkQuorum: true } }],
];

for (const [name, init] of MODES) {
  describe(`a cluster, ${name}`, () => {
    test('elects a leader by itself and replicates', () => {
      const cluster = new Cluster(init);
      cluster.run(40);
      const { leader } = cluster;
      cluster.propose(leader.id, 'a', 'b', 'c');
      cluster.settle();
      for (const member of cluster.all) assert.deepEqual(member.applied, ['a', 'b', 'c']);
    });

    test('goes on without a minority, which catches up when it is back', () => {
      const cluster = new Cluster(init);
      cluster.elect(1);
      cluster.isolate(3);
      cluster.propose(1, 'a');
      cluster.settle();
      assert.deepEqual(cluster.member(2).applied, ['a']);
      assert.deepEqual(cluster.member(3).applied, []);
      cluster.heal();
      cluster.run(40);
      assert.deepEqual(cluster.member(3).applied, ['a']);
    });

    test('replaces a lost leader, and what it did not commit is overwritten', () => {
      const cluster = new Cluster(init);
      cluster.elect(1);
      cluster.propose(1, 'a');
      cluster.settle();
      cluster.isolate(1);
      cluster.propose(1, 'lost');
      cluster.run(40);
      const { leader } = cluster;
      assert.notEqual(leader.id, 1);
      cluster.propose(leader.id, 'b');
      cluster.settle();
      cluster.heal();
      cluster.run(40);
      for (const member of cluster.all) assert.deepEqual(member.applied, ['a', 'b']);
    });

    test('brings a follower up by snapshot when the log does not reach back', () => {
      const cluster = new Cluster(init);
      cluster.elect(1);
      cluster.isolate(3);
      const texts = Array.from({ length: 50 }, (_, i) => `t${i}`);
      cluster.propose(1, ...texts);
      cluster.settle();
      cluster.member(1).compact();
      cluster.member(2).compact();
      let snapshots = 0;
      cluster.heal();
      cluster.lose = (m) => {
        if (m.type === MessageType.Snap) snapshots++;
        return false;
      };
      cluster.run(40);
      assert.deepEqual(cluster.member(3).applied, texts);
      assert.ok(snapshots >= 1);
      cluster.propose(cluster.leader.id, 'after');
      cluster.settle();
      assert.deepEqual(cluster.member(3).applied, [...texts, 'after']);
    });

    test('survives a crash of everybody at once', () => {
      const cluster = new Cluster(init);
      cluster.elect(1);
      cluster.propose(1, 'a', 'b');
      cluster.settle();
      cluster.member(2).compact(1);
      for (const member of cluster.all) member.restart();
      cluster.wire = [];
      cluster.run(40);
      cluster.propose(cluster.leader.id, 'c');
      cluster.settle();
      for (const member of cluster.all) assert.deepEqual(member.applied, ['a', 'b', 'c']);
    });

    test('grows to five and shrinks to one', () => {
      const cluster = new Cluster({ ...init, voters: [1] });
      cluster.elect(1);
      for (const id of [2, 3, 4, 5]) {
        cluster.addEmpty(id);
        cluster.change(1, { type: ConfChangeType.AddLearnerNode, nodeId: id });
        cluster.run(3);
        cluster.change(1, { type: ConfChangeType.AddNode, nodeId: id });
        cluster.run(3);
      }
      cluster.propose(1, 'five');
      cluster.settle();
      for (const member of cluster.all) assert.deepEqual(member.applied, ['five']);
      assert.deepEqual(cluster.member(5).node.status().confState.voters, [1, 2, 3, 4, 5]);
      for (const id of [2, 3, 4, 5]) {
        cluster.change(1, { type: ConfChangeType.RemoveNode, nodeId: id });
        cluster.run(2);
      }
      cluster.propose(1, 'one');
      cluster.settle();
      assert.deepEqual(cluster.member(1).applied, ['five', 'one']);
      assert.deepEqual(cluster.member(5).applied, ['five']);
    });

    test('answers reads at leader and follower, after what was committed before them', () => {
      const cluster = new Cluster(init);
      cluster.elect(1);
      cluster.propose(1, 'a');
      cluster.settle();
      const committed = cluster.member(1).node.status().hardState.commit;
      cluster.member(1).node.readIndex(Uint8Array.of(1));
      cluster.member(2).node.readIndex(Uint8Array.of(2));
      cluster.settle();
      assert.deepEqual(cluster.member(1).reads, [
        { index: committed, requestCtx: Uint8Array.of(1) },
      ]);
      assert.deepEqual(cluster.member(2).reads, [
        { index: committed, requestCtx: Uint8Array.of(2) },
      ]);
    });

    test('hands leadership over within a few messages', () => {
      const cluster = new Cluster(init);
      cluster.elect(1);
      cluster.member(1).node.transferLeader(3);
      cluster.settle();
      assert.equal(cluster.leader.id, 3);
      assert.equal(cluster.member(1).isLeader, false);
    });
  });
}
