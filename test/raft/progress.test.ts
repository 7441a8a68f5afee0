import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Inflights } from '../../manager/raft/tracker/inflights.ts';
import { Progress } from '../../manager/raft/tracker/progress.ts';
import type { ProgressState } from '../../manager/raft/types.ts';

function progress(state: ProgressState, match: number, next: number): Progress {
  const each = new Progress(match, next, new Inflights(256, 0));
  each.state = state;
  return each;
}

test('describe() shows what differs from the usual', () => {
  const each = progress('StateSnapshot', 3, 4);
  each.becomeSnapshot(7);
  each.isLearner = true;
  assert.equal(
    each.describe(),
    'StateSnapshot match=3 next=8 learner paused pendingSnap=7 inactive',
  );
});

test('sending is paused while probing, with a full window, and during a snapshot', () => {
  const cases: readonly (readonly [ProgressState, boolean, boolean])[] = [
    ['StateProbe', false, false],
    ['StateProbe', true, true],
    ['StateReplicate', false, false],
    ['StateReplicate', true, true],
    ['StateSnapshot', false, true],
    ['StateSnapshot', true, true],
  ];
  for (const [state, appendsPaused, paused] of cases) {
    const each = progress(state, 1, 2);
    each.appendsPaused = appendsPaused;
    assert.equal(each.paused, paused, `${state} ${appendsPaused}`);
  }
});

test('an answer, whichever, lets the next probe go', () => {
  const each = progress('StateProbe', 1, 5);
  each.sentEntries(3, 30);
  assert.equal(each.paused, true);
  each.maybeDecreaseTo(4, 2);
  assert.equal(each.paused, false);
  each.sentEntries(1, 10);
  each.maybeUpdate(3);
  assert.equal(each.paused, false);
});

test('after a snapshot, probing starts behind it or at the match, whichever is later', () => {
  const cases: readonly (readonly [number, number, number])[] = [
    [1, 10, 11],
    [12, 10, 13],
    [1, 0, 2],
  ];
  for (const [match, pending, next] of cases) {
    const each = progress('StateSnapshot', match, pending + 1);
    each.pendingSnapshot = pending;
    each.becomeProbe();
    assert.equal(each.state, 'StateProbe');
    assert.equal(each.match, match);
    assert.equal(each.next, next);
  }
});

test('an acknowledgement moves match and never takes next back', () => {
  const cases: readonly (readonly [number, boolean, number, number])[] = [
    [2, false, 3, 6],
    [3, false, 3, 6],
    [4, true, 4, 6],
    [5, true, 5, 6],
    [9, true, 9, 10],
  ];
  for (const [index, isNews, match, next] of cases) {
    const each = progress('StateReplicate', 3, 6);
    assert.equal(each.maybeUpdate(index), isNews);
    assert.deepEqual([each.match, each.next], [match, next]);
  }
});

test('10: next stays above match whatever a rejection says', () => {
  const cases: readonly {
    state: ProgressState;
    match: number;
    next: number;
    rejected: number;
    hint: number;
    decreased: boolean;
    after: number;
  }[] = [
    {
      state: 'StateReplicate',
      match: 5,
      next: 10,
      rejected: 5,
      hint: 5,
      decreased: false,
      after: 10,
    },
    {
      state: 'StateReplicate',
      match: 5,
      next: 10,
      rejected: 4,
      hint: 4,
      decreased: false,
      after: 10,
    },
    {
      state: 'StateReplicate',
      match: 5,
      next: 10,
      rejected: 9,
      hint: 9,
      decreased: true,
      after: 6,
    },
    { state: 'StateProbe', match: 0, next: 10, rejected: 5, hint: 5, decreased: false, after: 10 },
    { state: 'StateProbe', match: 0, next: 0, rejected: 0, hint: 0, decreased: false, after: 0 },
    { state: 'StateProbe', match: 0, next: 10, rejected: 9, hint: 9, decreased: true, after: 9 },
    { state: 'StateProbe', match: 0, next: 2, rejected: 1, hint: 1, decreased: true, after: 1 },
    { state: 'StateProbe', match: 0, next: 1, rejected: 0, hint: 0, decreased: true, after: 1 },
    { state: 'StateProbe', match: 0, next: 10, rejected: 9, hint: 2, decreased: true, after: 3 },
    { state: 'StateProbe', match: 0, next: 10, rejected: 9, hint: 0, decreased: true, after: 1 },
    { state: 'StateProbe', match: 4, next: 10, rejected: 9, hint: 1, decreased: true, after: 5 },
  ];
  for (const { state, match, next, rejected, hint, decreased, after } of cases) {
    const each = progress(state, match, next);
    assert.equal(each.maybeDecreaseTo(rejected, hint), decreased, JSON.stringify({ state, next }));
    assert.equal(each.match, match);
    assert.equal(each.next, after);
  }
});

test('the commit index is worth a message only if the follower can make use of it', () => {
  const each = progress('StateReplicate', 5, 10);
  each.sentCommit = 5;
  assert.equal(each.canBumpCommit(5), false);
  assert.equal(each.canBumpCommit(6), true);
  // Everything up to next - 1 is in flight with a commit index that covers it.
  each.sentCommit = 9;
  assert.equal(each.canBumpCommit(20), false);
});

test('back in Probe, the commit index is worth a message where sending begins again', () => {
  const each = progress('StateReplicate', 2, 10);
  each.sentCommit = 9;
  each.becomeProbe();
  assert.deepEqual([each.next, each.sentCommit], [3, 2]);
  each.sentCommit = 1;
  each.becomeProbe();
  assert.equal(each.sentCommit, 1);
});

test('after a rejection the commit index is worth a message again', () => {
  for (const state of ['StateProbe', 'StateReplicate'] as const) {
    const each = progress(state, 2, 10);
    each.sentCommit = 9;
    each.maybeDecreaseTo(9, 4);
    assert.equal(each.sentCommit, each.next - 1);
  }
});

test('a probe without entries does not hold up the next message, one with entries does', () => {
  const each = progress('StateProbe', 2, 3);
  each.sentEntries(0, 0);
  assert.deepEqual([each.paused, each.next], [false, 3]);
  each.sentEntries(2, 10);
  assert.deepEqual([each.paused, each.next], [true, 3]);
});
