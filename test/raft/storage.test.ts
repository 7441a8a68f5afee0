import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EMPTY_CONF_STATE,
  type Entry,
  EntryType,
  ErrCompacted,
  ErrSnapOutOfDate,
  ErrUnavailable,
  entrySize,
  MemoryStorage,
  NO_LIMIT,
  type Snapshot,
} from '../../manager/raft/index.ts';

function entries(from: number, ...terms: readonly number[]): Entry[] {
  return terms.map((term, i) => ({ term, index: from + i, type: EntryType.Normal }));
}

function snapshot(index: number, term: number): Snapshot {
  return { metadata: { index, term, confState: { ...EMPTY_CONF_STATE, voters: [1] } } };
}

/** Entries 4 to 6 after a snapshot at 3. */
function storage(): MemoryStorage {
  const log = new MemoryStorage();
  log.applySnapshot(snapshot(3, 3));
  log.append(entries(4, 4, 5, 6));
  return log;
}

test('terms and entries within the log, errors outside of it', () => {
  const log = storage();
  assert.deepEqual([log.firstIndex(), log.lastIndex()], [4, 6]);
  assert.throws(() => log.term(2), ErrCompacted);
  assert.deepEqual(
    [3, 4, 5, 6].map((index) => log.term(index)),
    [3, 4, 5, 6],
  );
  assert.throws(() => log.term(7), ErrUnavailable);
  assert.throws(() => log.entries(3, 5, NO_LIMIT), ErrCompacted);
  assert.throws(() => log.entries(4, 8, NO_LIMIT), ErrUnavailable);
  assert.deepEqual(log.entries(4, 7, NO_LIMIT), entries(4, 4, 5, 6));
  assert.deepEqual(log.entries(5, 7, 0), entries(5, 5));
  assert.deepEqual(log.entries(4, 7, 2 * entrySize(entries(4, 4)[0]!)), entries(4, 4, 5));
});

test('append replaces from its first entry, skips what is compacted, refuses a gap', () => {
  const log = storage();
  log.append(entries(5, 9));
  assert.deepEqual(log.entries(4, 6, NO_LIMIT), entries(4, 4, 9));
  assert.equal(log.lastIndex(), 5);
  log.append(entries(2, 2, 3, 7, 7));
  assert.deepEqual(log.entries(4, 6, NO_LIMIT), entries(4, 7, 7));
  log.append(entries(2, 2));
  log.append([]);
  assert.equal(log.lastIndex(), 5);
  assert.throws(() => log.append(entries(7, 9)), /gap/);
});

test('compact drops the entries up to an index and keeps its term', () => {
  const log = storage();
  log.compact(5);
  assert.deepEqual([log.firstIndex(), log.lastIndex(), log.term(5)], [6, 6, 5]);
  assert.throws(() => log.compact(5), ErrCompacted);
  assert.throws(() => log.compact(7), /past the end/);
  log.compact(6);
  assert.deepEqual([log.firstIndex(), log.lastIndex(), log.term(6)], [7, 6, 6]);
  log.append(entries(7, 8));
  assert.equal(log.lastIndex(), 7);
});

test('a snapshot of our own leaves the log, one from the leader replaces it', () => {
  const log = storage();
  const made = log.createSnapshot(5, undefined, Uint8Array.of(1));
  assert.deepEqual([made.metadata.index, made.metadata.term], [5, 5]);
  assert.deepEqual(made.metadata.confState.voters, [1]);
  assert.equal(log.firstIndex(), 4);
  assert.throws(() => log.createSnapshot(5), ErrSnapOutOfDate);
  assert.throws(() => log.createSnapshot(9), /past the end/);
  assert.throws(() => log.applySnapshot(snapshot(5, 5)), ErrSnapOutOfDate);
  log.applySnapshot(snapshot(9, 7));
  assert.deepEqual([log.firstIndex(), log.lastIndex(), log.term(9)], [10, 9, 7]);
  assert.equal(log.initialState().confState.voters[0], 1);
});
