/** Regressions of asynchronous storage writes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EntryType,
  ErrStepLocalMsg,
  ErrStepPeerNotFound,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type Message,
  MessageType,
  message,
  requiresDurability,
} from '../../../manager/raft/index.ts';
import { Cluster } from '../support/cluster.ts';
import type { Member } from '../support/member.ts';

const ASYNC = { config: { asyncStorageWrites: true } };

/** The messages of the node, its storage threads standing still. */
function sent(member: Member): Message[] {
  const messages: Message[] = [];
  while (member.node.hasReady()) messages.push(...member.process());
  return messages;
}

const app = (term: number, index: number, logTerm: number, terms: readonly number[]): Message =>
  message({
    type: MessageType.App,
    from: term % 2 === 0 ? 3 : 2,
    to: 1,
    term,
    index,
    logTerm,
    entries: terms.map((each, i) => ({ term: each, index: index + 1 + i, type: 0 })),
  });

test('votes and acknowledgements wait for the write, requests and appends do not', () => {
  const cluster = new Cluster(ASYNC);
  const { node } = cluster.member(1);
  node.step(message({ type: MessageType.Vote, from: 2, to: 1, term: 3, index: 9, logTerm: 2 }));
  assert.deepEqual(sent(cluster.member(1)), []);
  const [order] = cluster.member(1).appendWork;
  assert.deepEqual([order?.term, order?.vote], [3, 2]);
  assert.deepEqual(
    order?.responses?.map(({ type }) => type),
    [MessageType.VoteResp],
  );
});

test('a leader sends its entries before they are durable here, and counts itself only then', () => {
  const cluster = new Cluster({ ...ASYNC, voters: [1, 2] });
  const member = cluster.elect(1);
  cluster.propose(1, 'a');
  const messages = sent(member);
  assert.equal(messages.length, 1);
  assert.equal(
    messages.some(({ type }) => requiresDurability(type)),
    false,
  );
  for (const m of messages) cluster.step(m);
  cluster.flush(2);
  for (const m of cluster.take()) cluster.step(m);
  assert.equal(member.node.raft.log.committed, 2, 'one of two has it');
  for (const m of member.runAppendThread()) cluster.step(m);
  assert.equal(member.node.raft.log.committed, 3);
});

test('29: a write of an older term does not make entries durable that were overwritten since', () => {
  const cluster = new Cluster(ASYNC);
  const member = cluster.member(1);
  const { node } = member;
  // Entry 2 of term 2, overwritten in term 3, and back in term 4: each with a write of its own.
  node.step(app(2, 1, 1, [2]));
  sent(member);
  node.step(app(3, 1, 1, [3]));
  sent(member);
  node.step(app(4, 1, 1, [2]));
  sent(member);
  const [first, second, third] = [
    member.runAppendThread(),
    member.runAppendThread(),
    member.runAppendThread(),
  ];
  const { unstable } = node.raft.log;
  for (const m of first!.filter(({ to }) => to === 1)) node.step(m);
  assert.equal(unstable.offset, 2, 'index and term match, but the write was that of term 2');
  for (const m of second!.filter(({ to }) => to === 1)) node.step(m);
  assert.equal(unstable.offset, 2);
  for (const m of third!.filter(({ to }) => to === 1)) node.step(m);
  assert.equal(unstable.offset, 3);
});

test('29: entries whose own report was ignored are reported with a later write', () => {
  const cluster = new Cluster(ASYNC);
  const member = cluster.member(1);
  const { node } = member;
  node.step(app(2, 1, 1, [2]));
  sent(member);
  const report = member.runAppendThread().filter(({ to }) => to === 1);
  node.step(message({ type: MessageType.Vote, from: 3, to: 1, term: 5, index: 9, logTerm: 4 }));
  for (const m of report) node.step(m);
  assert.equal(node.raft.log.unstable.offset, 2, 'ignored: the term has changed');
  sent(member);
  for (const m of member.runAppendThread().filter(({ to }) => to === 1)) node.step(m);
  assert.equal(node.raft.log.unstable.offset, 3);
});

test('30: the own acknowledgement of an earlier term does not count', () => {
  const cluster = new Cluster(ASYNC);
  const member = cluster.elect(1);
  const { node } = member;
  cluster.propose(1, 'a', 'b');
  sent(member);
  const acks = member.runAppendThread().filter(({ to }) => to === 1);
  const { term } = member;
  // Another leader overwrites one of the two entries; then 1 leads again and appends one.
  const entries = [{ term: term + 1, index: 3, type: EntryType.Normal }];
  const append = { type: MessageType.App, from: 2, to: 1, term: term + 1, index: 2, logTerm: term };
  node.step(message({ ...append, entries }));
  for (const m of acks) node.step(m);
  assert.equal(member.isLeader, false);
  assert.equal(node.raft.log.committed, 2);
  cluster.flush(1);
  node.campaign();
  sent(member);
  for (const m of member.runAppendThread().filter(({ to }) => to === 1)) node.step(m);
  node.step(message({ type: MessageType.VoteResp, from: 3, to: 1, term: term + 2 }));
  assert.equal(member.isLeader, true);
  assert.equal(node.lastIndex(), 4);
  for (const m of acks) node.step(m);
  assert.equal(
    node.raft.tracker.progress.get(1)?.match,
    3,
    'entry 4 is another one, not yet durable',
  );
});

test('a snapshot applied under an earlier term is applied', () => {
  const cluster = new Cluster(ASYNC);
  const member = cluster.addEmpty(3 + 1);
  const { node } = member;
  const confState = { ...cluster.member(1).confState, learners: [4] };
  const snapshot = { metadata: { index: 20, term: 2, confState } };
  node.step(message({ type: MessageType.Snap, from: 1, to: 4, term: 2, snapshot }));
  sent(member);
  const responses = member.runAppendThread();
  node.step(message({ type: MessageType.Heartbeat, from: 2, to: 4, term: 3 }));
  for (const m of responses.filter(({ to }) => to === 4)) node.step(m);
  assert.equal(node.raft.log.unstable.snapshot, undefined);
  assert.equal(node.status().applied, 20);
});

test('entries that are reported as applied after a snapshot of more have no effect', () => {
  const cluster = new Cluster({ ...ASYNC, learners: [4] });
  const { node } = cluster.member(4);
  const applied = (index: number) =>
    node.step(
      message({
        type: MessageType.StorageApplyResp,
        from: LOCAL_APPLY_THREAD,
        to: 4,
        entries: [{ term: 1, index, type: EntryType.Normal }],
      }),
    );
  const snapshot = { metadata: { index: 9, term: 1, confState: node.status().confState } };
  node.step(message({ type: MessageType.Snap, from: 1, to: 4, term: 2, snapshot }));
  cluster.flush(4);
  assert.equal(node.status().applied, 9);
  applied(5);
  assert.deepEqual([node.status().applied, node.status().fault], [9, undefined]);
});

test('storage orders and reports are refused from the network, answers of strangers too', () => {
  const cluster = new Cluster();
  const { node, term } = cluster.elect(1);
  const local = [
    MessageType.Hup,
    MessageType.Beat,
    MessageType.Unreachable,
    MessageType.SnapStatus,
    MessageType.CheckQuorum,
    MessageType.StorageAppend,
    MessageType.StorageAppendResp,
    MessageType.StorageApply,
    MessageType.StorageApplyResp,
  ];
  for (const type of local) {
    assert.throws(() => node.step(message({ type, from: 2, to: 1, term })), ErrStepLocalMsg);
  }
  assert.throws(
    () => node.step(message({ type: MessageType.AppResp, from: 9, to: 1, term })),
    ErrStepPeerNotFound,
  );
  const own = message({
    type: MessageType.StorageAppendResp,
    from: LOCAL_APPEND_THREAD,
    to: 1,
    term,
  });
  node.step(own);
});

test('advance() belongs to synchronous mode', () => {
  const cluster = new Cluster(ASYNC);
  assert.throws(() => cluster.member(1).node.advance(), /synchronous/);
});
