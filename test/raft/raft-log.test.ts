import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SILENT } from '../../manager/raft/config.ts';
import {
  type Entry,
  EntryType,
  ErrCompacted,
  entrySize,
  MemoryStorage,
  NO_LIMIT,
  RaftFault,
} from '../../manager/raft/index.ts';
import { RaftLog } from '../../manager/raft/log/raft-log.ts';

function entries(from: number, ...terms: readonly number[]): Entry[] {
  return terms.map((term, i) => ({ term, index: from + i, type: EntryType.Normal }));
}

/** A log that starts at 1, of which the first `stable` entries are in storage. */
function logOf(terms: readonly number[], stable = 0): RaftLog {
  const storage = new MemoryStorage();
  const all = entries(1, ...terms);
  storage.append(all.slice(0, stable));
  const log = new RaftLog(storage, SILENT);
  log.append(all.slice(stable));
  return log;
}

function termsOf(log: RaftLog): number[] {
  return log.entries(log.firstIndex(), NO_LIMIT).map(({ term }) => term);
}

test('maybeAppend: keeps what agrees, cuts off what does not, commits no further than it knows', () => {
  const cases: readonly {
    prev: readonly [number, number];
    terms: number[];
    commit: number;
    last: number | undefined;
    log: number[];
    committed: number;
  }[] = [
    { prev: [2, 3], terms: [4], commit: 3, last: undefined, log: [1, 2, 3], committed: 1 },
    { prev: [3, 4], terms: [4], commit: 3, last: undefined, log: [1, 2, 3], committed: 1 },
    { prev: [3, 3], terms: [], commit: 2, last: 3, log: [1, 2, 3], committed: 2 },
    { prev: [3, 3], terms: [], commit: 9, last: 3, log: [1, 2, 3], committed: 3 },
    { prev: [2, 2], terms: [], commit: 9, last: 2, log: [1, 2, 3], committed: 2 },
    { prev: [3, 3], terms: [4, 4], commit: 4, last: 5, log: [1, 2, 3, 4, 4], committed: 4 },
    { prev: [2, 2], terms: [4], commit: 9, last: 3, log: [1, 2, 4], committed: 3 },
    { prev: [1, 1], terms: [2, 3, 4], commit: 1, last: 4, log: [1, 2, 3, 4], committed: 1 },
    { prev: [1, 1], terms: [2], commit: 1, last: 2, log: [1, 2, 3], committed: 1 },
    { prev: [0, 0], terms: [1, 2], commit: 1, last: 2, log: [1, 2, 3], committed: 1 },
  ];
  for (const { prev, terms, commit, last, log, committed } of cases) {
    for (const stable of [0, 1, 3]) {
      const subject = logOf([1, 2, 3], stable);
      subject.commitTo(1);
      const found = subject.maybeAppend(prev[0], prev[1], entries(prev[1] + 1, ...terms), commit);
      const what = JSON.stringify({ prev, terms, stable });
      assert.equal(found, last, what);
      assert.deepEqual(termsOf(subject), log, what);
      assert.equal(subject.committed, committed, what);
    }
  }
});

test('entries that are there already are not written again', () => {
  const log = logOf([1, 2, 3], 3);
  assert.equal(log.maybeAppend(1, 1, entries(2, 2, 3, 4), 1), 4);
  assert.deepEqual(log.unstable.nextEntries(), entries(4, 4));
  log.unstable.acceptInProgress();
  assert.equal(log.maybeAppend(2, 2, entries(3, 3, 4), 1), 4);
  assert.deepEqual(log.unstable.nextEntries(), []);
});

test('a conflict with committed entries is a fault', () => {
  const log = logOf([1, 2, 3]);
  log.commitTo(2);
  const isFault = (what: RegExp) => (error: unknown) =>
    error instanceof RaftFault && what.test(error.message);
  assert.throws(
    () => log.maybeAppend(1, 1, entries(2, 4), 2),
    isFault(/^entry 2 conflict with committed entry \[committed\(2\)\]$/),
  );
  assert.throws(() => log.append(entries(2, 4)), isFault(/^after\(1\) is out of range/));
});

test('6: an append that lies entirely within the log changes nothing', () => {
  const log = logOf([1, 1, 1, 1]);
  assert.equal(log.maybeAppend(1, 1, entries(2, 1, 1), 0), 3);
  assert.deepEqual(termsOf(log), [1, 1, 1, 1]);
  // Nothing is to be written again either, up to the very end of the log.
  const stored = logOf([1, 1, 1, 1], 4);
  for (const from of [2, 3, 4]) {
    const known = entries(from, ...new Array<number>(5 - from).fill(1));
    assert.equal(stored.maybeAppend(1, from - 1, known, 0), 4);
    assert.equal(stored.unstable.hasNextEntries, false, `from ${from}`);
  }
});

test('5: looking for a conflict outside of the log finds nothing and does not throw', () => {
  const storage = new MemoryStorage();
  storage.append(entries(1, 1, 2, 3, 4, 5));
  storage.compact(3);
  const log = new RaftLog(storage, SILENT);
  assert.deepEqual(log.findConflictByTerm(20, 9), { index: 20, term: undefined });
  assert.deepEqual(log.findConflictByTerm(5, 2), { index: 2, term: undefined });
  assert.deepEqual(log.findConflictByTerm(5, 3), { index: 3, term: 3 });
});

test('a conflict is found by whole terms', () => {
  const log = logOf([2, 2, 2, 5, 5, 6, 7], 3);
  const find = (index: number, term: number) => log.findConflictByTerm(index, term).index;
  assert.equal(find(7, 7), 7);
  assert.equal(find(7, 6), 6);
  assert.equal(find(7, 5), 5);
  assert.equal(find(7, 4), 3);
  assert.equal(find(2, 4), 2);
  assert.equal(find(7, 1), 0);
});

test('what is more up to date: the term counts first, then the length', () => {
  const log = logOf([1, 2, 3]);
  const isUpToDate = (term: number, index: number) => log.isUpToDate({ term, index });
  assert.deepEqual(
    [isUpToDate(4, 1), isUpToDate(2, 9), isUpToDate(3, 2), isUpToDate(3, 3), isUpToDate(3, 4)],
    [true, false, false, true, true],
  );
});

test('only entries of the own term are committed by counting', () => {
  const log = logOf([1, 2]);
  assert.equal(log.maybeCommit(2, 1), false);
  assert.equal(log.maybeCommit(2, 2), true);
  assert.equal(log.maybeCommit(2, 2), false);
  assert.equal(log.committed, 2);
  assert.throws(() => log.commitTo(3), /tocommit\(3\) is out of range/);
});

test('compacted entries are gone, the term before the first is known', () => {
  const storage = new MemoryStorage();
  storage.append(entries(1, 1, 1, 2, 2));
  storage.compact(2);
  const log = new RaftLog(storage, SILENT);
  log.append(entries(5, 3));
  assert.equal(log.firstIndex(), 3);
  assert.equal(log.maybeTerm(1), undefined);
  assert.equal(log.maybeTerm(2), 1);
  assert.throws(() => log.entries(2, NO_LIMIT), ErrCompacted);
  assert.deepEqual(
    log.entries(3, NO_LIMIT).map(({ index }) => index),
    [3, 4, 5],
  );
});

test('15: a slice is the longest that fits, across storage and unstable, and never empty', () => {
  const sized = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(sized, fc.nat(12), fc.nat(12), fc.nat(400), (sizes, stable, from, limit) => {
      const all: Entry[] = sizes.map((size, i) => ({
        term: 1,
        index: i + 1,
        type: EntryType.Normal,
        data: new Uint8Array(size),
      }));
      const storage = new MemoryStorage();
      storage.append(all.slice(0, stable));
      const log = new RaftLog(storage, SILENT);
      log.append(all.slice(stable));
      const lo = Math.min(from, all.length - 1);
      let total = 0;
      const expected = all.slice(lo).filter((entry, i) => {
        total += entrySize(entry);
        return i === 0 || total <= limit;
      });
      assert.deepEqual(log.slice(lo + 1, all.length + 1, limit), expected);
    }),
    { numRuns: 2_000 },
  );
});

test('15: storage that returns fewer or more bytes than asked for loses no entry', () => {
  class OddStorage extends MemoryStorage {
    surplus = 0;
    override entries(lo: number, hi: number, maxSize: number): readonly Entry[] {
      return super.entries(lo, hi, Math.max(0, maxSize + this.surplus));
    }
  }
  for (const surplus of [-60, 0, 60]) {
    const storage = new OddStorage();
    storage.surplus = surplus;
    const data = new Uint8Array(14);
    storage.append(entries(1, 1, 1, 1, 1, 1, 1, 1).map((entry) => ({ ...entry, data })));
    const log = new RaftLog(storage, SILENT, 2 * entrySize(storage.entries(1, 2, NO_LIMIT)[0]!));
    log.commitTo(7);
    const seen: number[] = [];
    while (log.hasNextCommitted(true)) {
      const page = log.nextCommitted(true);
      seen.push(...page.map(({ index }) => index));
      const size = page.reduce((sum, entry) => sum + entrySize(entry), 0);
      log.acceptApplying(page.at(-1)!.index, size, true);
      log.appliedTo(page.at(-1)!.index, size);
    }
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7], `surplus ${surplus}`);
  }
});

test('16: what is being applied counts against the limit until it is applied', () => {
  const size = entrySize(entries(1, 1)[0]!);
  const storage = new MemoryStorage();
  storage.append(entries(1, 1, 1, 1, 1));
  const log = new RaftLog(storage, SILENT, 2 * size);
  log.commitTo(4);
  assert.equal(log.nextCommitted(true).length, 2);
  log.acceptApplying(2, 2 * size, true);
  assert.equal(log.hasNextCommitted(true), false);
  log.appliedTo(0, 0);
  assert.equal(log.hasNextCommitted(true), false, 'just full is full');
  log.appliedTo(1, size);
  assert.equal(log.nextCommitted(true).length, 1);
  assert.throws(() => log.appliedTo(5, 0), RaftFault);
});

test('with asynchronous writes only durable entries are applied', () => {
  const log = logOf([1, 1, 1], 1);
  log.commitTo(3);
  assert.equal(log.nextCommitted(true).length, 3);
  assert.equal(log.nextCommitted(false).length, 1);
});
