/** The interface: what is refused, in which order its calls come, and what a broken storage leads to. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfChangeType,
  EntryType,
  ErrProposalDropped,
  ErrStepMisdirected,
  ErrUnavailable,
  encodeConfChange,
  isLocalMessage,
  isResponse,
  LOCAL_APPLY_THREAD,
  type MessageType,
  message,
  StateType,
  MessageType as Types,
} from '../../manager/raft/index.ts';
import { Cluster } from './support/cluster.ts';
import { bytes } from './support/member.ts';

test('the types of messages have the numbers that they have on the wire', () => {
  assert.deepEqual(
    Object.values(Types),
    Array.from({ length: 24 }, (_, i) => i),
  );
  const unknown = 24 as MessageType;
  assert.deepEqual([isLocalMessage(unknown), isResponse(unknown)], [true, false]);
});

test('advance() is for a Ready that was taken, and once for each', () => {
  const { node } = new Cluster({ voters: [1] }).member(1);
  assert.throws(() => node.advance(), /no Ready to be done with/);
  node.campaign();
  node.ready();
  node.advance();
  assert.equal(node.status().softState.raftState, StateType.Leader);
  assert.throws(() => node.advance(), /no Ready to be done with/);
});

test('a message to another node is refused', () => {
  const cluster = new Cluster();
  const { node, term } = cluster.elect(1);
  const beat = { type: Types.HeartbeatResp, from: 2, term };
  assert.throws(() => node.step(message({ ...beat, to: 3 })), ErrStepMisdirected);
  assert.throws(() => node.step(message({ ...beat, to: 3 })), /to node 3 has reached node 1$/);
  node.step(message({ ...beat, to: 1 }));
  node.step(message({ ...beat, to: 0 }));
});

test('only a leader knows of the progress of others', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  const visited = (id: number) => {
    const found: number[] = [];
    cluster.member(id).node.withProgress((each) => found.push(each.id));
    return found;
  };
  assert.deepEqual(visited(1), [1, 2, 3]);
  assert.deepEqual(visited(2), []);
  assert.deepEqual(cluster.member(2).node.status().progress, []);
  const [own, other] = cluster.member(1).node.status().progress;
  assert.deepEqual([own?.match, other?.inflightFull], [2, false]);
});

test('proposals at a follower go to the leader, or are dropped if that is not wanted', () => {
  const configOf = (id: number) => ({ disableProposalForwarding: id === 3 });
  const cluster = new Cluster({ configOf });
  cluster.elect(1);
  cluster.propose(2, 'sent on');
  assert.throws(() => cluster.propose(3, 'dropped'), ErrProposalDropped);
  cluster.settle();
  for (const { applied } of cluster.all) assert.deepEqual(applied, ['sent on']);
});

test('a batch becomes neighbours in the log, with a change of the configuration among them', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  const learner = { type: ConfChangeType.AddLearnerNode, nodeId: 4 };
  const entry = (type: EntryType, data: Uint8Array) => ({ term: 0, index: 0, type, data });
  node.proposeBatch([bytes('a'), bytes('b')]);
  const entries = [
    entry(EntryType.Normal, bytes('c')),
    entry(EntryType.ConfChange, encodeConfChange(learner)),
    entry(EntryType.ConfChange, encodeConfChange({ ...learner, nodeId: 5 })),
    entry(EntryType.Normal, bytes('d')),
  ];
  node.step(message({ type: Types.Prop, from: 2, to: 1, entries }));
  assert.equal(node.raft.pendingConfIndex, 6);
  cluster.settle();
  assert.deepEqual(cluster.member(2).applied, ['a', 'b', 'c', 'd']);
  assert.deepEqual(node.status().confState.learners, [4], 'the second came too early');
});

test('a read without a context is answered with an empty one', () => {
  const cluster = new Cluster();
  const { node } = cluster.elect(1);
  node.step(message({ type: Types.ReadIndex, to: 1 }));
  cluster.settle();
  assert.deepEqual(cluster.member(1).reads, [{ index: 2, requestCtx: new Uint8Array(0) }]);
});

test('a report of nothing applied changes nothing', () => {
  const cluster = new Cluster({ config: { asyncStorageWrites: true } });
  const { node } = cluster.elect(1);
  node.step(message({ type: Types.StorageApplyResp, from: LOCAL_APPLY_THREAD, to: 1 }));
  assert.equal(node.status().applied, 2);
});

test('a storage without the entries it claims to have halts the node, in a step and in a tick', () => {
  for (const campaign of ['campaign', 'tick'] as const) {
    const cluster = new Cluster();
    const { node, storage } = cluster.member(1);
    storage.term = () => {
      throw new ErrUnavailable();
    };
    for (let i = 0; i < 20; i++) node[campaign]();
    assert.match(node.status().fault ?? '', /has entries from 2 to 1, but not the term of 1: req/);
    assert.equal(node.hasReady(), false);
    // Nothing happens any more, whatever comes.
    const { term, state } = node.raft;
    for (let i = 0; i < 40; i++) node.tick();
    node.step(message({ type: Types.Heartbeat, from: 2, to: 1, term: 9 }));
    node.readIndex(bytes('r'));
    assert.throws(() => node.propose(bytes('x')), ErrProposalDropped);
    assert.deepEqual([node.raft.term, node.raft.state], [term, state]);
    assert.equal(node.hasReady(), false);
  }
});

test('a storage whose log ends before it begins halts the node', () => {
  const { node, storage } = new Cluster().member(1);
  storage.lastIndex = () => 0;
  storage.firstIndex = () => 7;
  node.raft.log.unstable.offset = 1;
  node.campaign();
  assert.match(node.status().fault ?? '', /the term of the last entry 0 is lost/);
});

test('other errors of the storage go to the caller', () => {
  const { node, storage } = new Cluster().member(1);
  storage.term = () => {
    throw new Error('the disk is gone');
  };
  assert.throws(() => node.campaign(), /^Error: the disk is gone$/);
  assert.equal(node.status().fault, undefined);
});
