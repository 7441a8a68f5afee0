import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SILENT } from '../../manager/raft/config.ts';
import { Unstable } from '../../manager/raft/log/unstable.ts';
import { type Entry, EntryType, type Snapshot } from '../../manager/raft/types.ts';

function entries(from: number, ...terms: readonly number[]): Entry[] {
  return terms.map((term, i) => ({ term, index: from + i, type: EntryType.Normal }));
}

function snapshot(index: number, term: number): Snapshot {
  const confState = {
    voters: [1],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  return { metadata: { index, term, confState } };
}

function unstable(offset: number, ...terms: readonly number[]): Unstable {
  const log = new Unstable(offset, SILENT);
  if (terms.length > 0) log.truncateAndAppend(entries(offset, ...terms));
  return log;
}

function state(log: Unstable): unknown {
  return {
    offset: log.offset,
    inProgress: log.offsetInProgress,
    terms: log.entries.map(({ term }) => term),
  };
}

test('first and last index come from the snapshot and the entries', () => {
  const log = unstable(5, 1);
  assert.equal(log.maybeFirstIndex(), undefined);
  assert.equal(log.maybeLastIndex(), 5);
  log.restore(snapshot(4, 1));
  assert.equal(log.maybeFirstIndex(), 5);
  assert.equal(log.maybeLastIndex(), 4);
  assert.equal(log.maybeTerm(4), 1);
  assert.equal(log.maybeTerm(3), undefined);
  assert.equal(unstable(5).maybeLastIndex(), undefined);
});

test('terms are known for the entries that are here', () => {
  const log = unstable(5, 1, 2);
  assert.deepEqual(
    [4, 5, 6, 7].map((index) => log.maybeTerm(index)),
    [undefined, 1, 2, undefined],
  );
});

test('appending at the end, over everything, and in the middle', () => {
  const appended = unstable(5, 1);
  appended.truncateAndAppend(entries(6, 1, 1));
  assert.deepEqual(state(appended), { offset: 5, inProgress: 5, terms: [1, 1, 1] });

  const replaced = unstable(5, 1);
  replaced.acceptInProgress();
  replaced.truncateAndAppend(entries(4, 2, 2));
  assert.deepEqual(state(replaced), { offset: 4, inProgress: 4, terms: [2, 2] });

  const cut = unstable(5, 1, 1, 1);
  cut.acceptInProgress();
  cut.truncateAndAppend(entries(6, 2));
  assert.deepEqual(state(cut), { offset: 5, inProgress: 6, terms: [1, 2] });

  assert.throws(() => unstable(5, 1).truncateAndAppend(entries(7, 2)), /leaves a gap/);
});

test('entries are handed out once, and what overwrites them once more', () => {
  const log = unstable(5, 1, 1);
  assert.equal(log.nextEntries().length, 2);
  log.acceptInProgress();
  assert.equal(log.hasNextEntries, false);
  log.truncateAndAppend(entries(7, 1));
  assert.deepEqual(log.nextEntries(), entries(7, 1));
  log.acceptInProgress();
  log.truncateAndAppend(entries(6, 2));
  assert.deepEqual(log.nextEntries(), entries(6, 2));
});

test('stable entries leave, if they are still the same', () => {
  const log = unstable(5, 1, 1, 2);
  log.acceptInProgress();
  log.stableTo(2, 5);
  assert.deepEqual(state(log), { offset: 5, inProgress: 8, terms: [1, 1, 2] }, 'another term');
  log.stableTo(1, 9);
  assert.deepEqual(state(log), { offset: 5, inProgress: 8, terms: [1, 1, 2] }, 'past the end');
  log.stableTo(1, 6);
  assert.deepEqual(state(log), { offset: 7, inProgress: 8, terms: [2] });
  log.stableTo(1, 6);
  assert.deepEqual(state(log), { offset: 7, inProgress: 8, terms: [2] }, 'already gone');
  log.stableTo(2, 7);
  assert.deepEqual(state(log), { offset: 8, inProgress: 8, terms: [] });
});

test('entries that are durable need not be written any more', () => {
  const log = unstable(5, 1, 1, 1);
  log.stableTo(1, 6);
  assert.deepEqual(state(log), { offset: 7, inProgress: 7, terms: [1] });
});

test('entries appended while others are being written stay', () => {
  const log = unstable(5, 1);
  log.acceptInProgress();
  log.truncateAndAppend(entries(6, 1));
  log.stableTo(1, 5);
  assert.deepEqual(state(log), { offset: 6, inProgress: 6, terms: [1] });
  assert.equal(log.hasNextEntries, true);
});

test('a snapshot is handed out once and leaves when it is stable', () => {
  const log = unstable(5, 1);
  log.restore(snapshot(9, 3));
  assert.deepEqual(state(log), { offset: 10, inProgress: 10, terms: [] });
  assert.equal(log.nextSnapshot()?.metadata.index, 9);
  log.acceptInProgress();
  assert.equal(log.nextSnapshot(), undefined);
  log.stableSnapshotTo(8);
  assert.equal(log.snapshot?.metadata.index, 9);
  log.stableSnapshotTo(9);
  assert.equal(log.snapshot, undefined);
});

test('the entry at a snapshot is not an unstable entry', () => {
  const log = unstable(5);
  log.restore(snapshot(9, 3));
  log.stableTo(3, 9);
  assert.equal(log.offset, 10);
  log.truncateAndAppend(entries(10, 3, 3));
  log.stableTo(3, 10);
  log.stableTo(3, 9);
  assert.equal(log.offset, 11, 'nor when entries behind it are durable before it');
});

test('a Ready keeps its entries when the log is overwritten', () => {
  const log = unstable(5, 1, 1);
  const handedOut = log.nextEntries();
  log.truncateAndAppend(entries(5, 2));
  assert.deepEqual(handedOut, entries(5, 1, 1));
});
