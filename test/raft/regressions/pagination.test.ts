/** Regressions of handing out entries: in pages, across Readys, after restarts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EntryType,
  MemoryStorage,
  MessageType,
  message,
  RawNode,
  type Ready,
} from '../../../manager/raft/index.ts';
import { Cluster } from '../support/cluster.ts';

/** A lone node that comes up with ten committed entries of 100 bytes and applies them in pages. */
function restarted(more: object): RawNode {
  const storage = new MemoryStorage();
  const confState = {
    voters: [1],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  storage.applySnapshot({ metadata: { index: 1, term: 1, confState } });
  storage.append(
    Array.from({ length: 10 }, (_, i) => ({
      term: 1,
      index: i + 2,
      type: EntryType.Normal,
      data: new Uint8Array(100),
    })),
  );
  storage.setHardState({ term: 1, vote: 1, commit: 10 });
  return new RawNode({
    id: 1,
    electionTick: 10,
    heartbeatTick: 1,
    storage,
    applied: 1,
    maxSizePerMsg: 0,
    maxInflightMsgs: 10,
    random: () => 0,
    ...more,
  });
}

test('17: committed entries come in pages after a restart, none twice and none left out', () => {
  for (const limit of [1, 250, 10_000]) {
    const node = restarted({ maxCommittedSizePerReady: limit });
    const seen: number[] = [];
    while (node.hasReady()) {
      const { committedEntries } = node.ready();
      seen.push(...committedEntries.map(({ index }) => index));
      node.advance();
    }
    assert.deepEqual(seen, [2, 3, 4, 5, 6, 7, 8, 9, 10], `limit ${limit}`);
    assert.equal(node.status().hardState.commit, 10);
  }
});

test('15: a page that is cut short does not take the commit index back', () => {
  const cluster = new Cluster({ voters: [1], config: { maxCommittedSizePerReady: 1 } });
  cluster.elect(1);
  cluster.propose(1, 'a', 'b', 'c');
  cluster.settle();
  const commits = cluster.member(1).readys.flatMap(({ hardState }) => hardState?.commit ?? []);
  assert.deepEqual(
    commits,
    [...commits].sort((a, b) => a - b),
  );
  assert.equal(commits.at(-1), 5);
  assert.deepEqual(cluster.member(1).applied, ['a', 'b', 'c']);
});

test('16: with asynchronous writes the limit holds across the Readys under way', () => {
  const node = restarted({ maxCommittedSizePerReady: 250, asyncStorageWrites: true });
  const pages: number[][] = [];
  const take = (): Ready | undefined => {
    const ready = node.hasReady() ? node.ready() : undefined;
    if (ready !== undefined && ready.committedEntries.length > 0) {
      pages.push(ready.committedEntries.map(({ index }) => index));
    }
    return ready;
  };
  const first = take()!;
  assert.equal(take(), undefined, 'two entries are on their way, there is room for no more');
  const apply = (ready: Ready) => {
    const order = ready.messages.find(({ type }) => type === MessageType.StorageApply)!;
    for (const m of order.responses!) node.step(m);
  };
  apply(first);
  for (let ready = take(); ready !== undefined; ready = take()) apply(ready);
  assert.deepEqual(pages.flat(), [2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.ok(pages.every(({ length }) => length <= 2));
});

test('19: only entries, votes and terms need fsync', () => {
  const cluster = new Cluster();
  cluster.elect(1);
  cluster.propose(1, 'a');
  cluster.settle();
  for (const { readys } of cluster.all) {
    let before = { term: 0, vote: 0 };
    for (const { hardState, entries, mustSync } of readys) {
      const { term, vote } = hardState ?? before;
      assert.equal(mustSync, entries.length > 0 || term !== before.term || vote !== before.vote);
      before = { term, vote };
    }
    assert.ok(readys.some(({ mustSync, hardState }) => !mustSync && hardState !== undefined));
  }
});

test('19: a vote needs fsync also in a term that is known already', () => {
  const cluster = new Cluster();
  const { node } = cluster.member(1);
  const from = { from: 2, to: 1, term: 2 };
  node.step(message({ type: MessageType.Heartbeat, ...from }));
  node.forgetLeader();
  cluster.flush(1);
  node.step(message({ type: MessageType.Vote, ...from, index: 1, logTerm: 1 }));
  cluster.flush(1);
  const last = cluster.member(1).readys.at(-1);
  assert.deepEqual([last?.hardState, last?.mustSync], [{ term: 2, vote: 2, commit: 1 }, true]);
});

test('a Ready is refused while the last one is not done', () => {
  const node = restarted({});
  node.ready();
  assert.throws(() => node.ready(), /call advance/);
});

test('entries are handed out to be applied with the Ready that has them written, but not before', () => {
  const sync = new Cluster({ voters: [1] });
  sync.elect(1);
  sync.propose(1, 'a');
  sync.settle();
  const async = new Cluster({ voters: [1], config: { asyncStorageWrites: true } });
  const { node } = async.elect(1);
  async.propose(1, 'a');
  const ready = node.ready();
  assert.equal(ready.entries.length, 1);
  assert.equal(node.hasReady(), false, 'nothing to apply before the write is reported');
});

test('a commit index that is behind what was applied is no fault', () => {
  const node = restarted({ applied: 11 });
  assert.equal(node.status().hardState.commit, 11);
  assert.throws(() => restarted({ applied: 12 }), /out of range/);
});
