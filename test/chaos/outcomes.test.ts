import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longestGap, medianOf } from './gaps.ts';
import { History } from './history.ts';
import { outcomeOf, outcomeOfError } from './outcomes.ts';

const verdictOf = (status: number, message: string) =>
  outcomeOf({ status, body: { message } }).verdict;

test('only what surely had no effect counts as failed', () => {
  assert.equal(outcomeOf({ status: 201, body: { ID: 'x' } }).verdict, 'ok');
  assert.equal(verdictOf(400, 'invalid'), 'never');
  assert.equal(
    verdictOf(503, 'rpc error: code = Unknown desc = The swarm does not have a leader. …'),
    'never',
  );
  assert.equal(verdictOf(500, 'rpc error: code = Unknown desc = update out of sequence'), 'never');
  assert.equal(verdictOf(503, 'This manager lost leadership before the change was …'), 'unknown');
  assert.equal(verdictOf(500, 'context deadline exceeded'), 'unknown');
  assert.equal(
    outcomeOfError(Object.assign(new Error(), { code: 'ECONNREFUSED' })).verdict,
    'never',
  );
  assert.equal(
    outcomeOfError(Object.assign(new Error(), { code: 'ECONNRESET' })).verdict,
    'unknown',
  );
  assert.equal(outcomeOfError(new Error('timed out')).verdict, 'unknown');
});

test('errors are listed without what makes each of them different', () => {
  const { label } = outcomeOf({
    status: 503,
    body: { message: 'The leader is at 10.0.0.1:2377, says abcdefghij0123456789abcde.\nhint' },
  });
  assert.equal(label, '503 The leader is at ADDRESS, says ID.');
});

test('the longest gap counts from the fault on, up to the end', () => {
  assert.equal(longestGap([1, 2, 10, 11], 2, 12), 8);
  assert.equal(longestGap([1, 2], 2, 12), 10);
  assert.equal(longestGap([5, 20], 0, 10), 5);
  assert.equal(longestGap([1, 2, 3], 0, 4), 1);
  assert.equal(medianOf([3, 1, 2]), 2);
  assert.equal(medianOf([4, 1, 2, 3]), 2.5);
});

test('a write that was acknowledged and is gone, or refused and is there, is found', () => {
  const history = new History();
  history.added('a', 'ok');
  history.added('b', 'never');
  history.added('c', 'unknown');
  assert.deepEqual(history.judgeAdded('m', new Set(['a'])), []);
  assert.deepEqual(history.judgeAdded('m', new Set(['a', 'c'])), []);
  assert.deepEqual(history.judgeAdded('m', new Set(['c'])), ['m: a was acknowledged, and is lost']);
  const wrong = history.judgeAdded('m', new Set(['a', 'b', 'd']));
  assert.deepEqual(wrong, [
    'm: b is there, though it was refused',
    'm: d is there, and nobody made it',
  ]);
  assert.deepEqual(history.counts, { ok: 1, never: 1, unknown: 1 });
});

test('a read of what was overwritten before it began is found', () => {
  const history = new History();
  const swap = { kind: 'swap', expected: 'first', value: '1' } as const;
  history.returned('r', history.call(), swap, 'ok');
  history.returned('r', history.call(), { kind: 'read', value: '1' }, 'ok');
  assert.deepEqual(history.judgeRegisters('first'), []);
  history.returned('r', history.call(), { kind: 'read', value: 'first' }, 'ok');
  const [problem, ...more] = history.judgeRegisters('first');
  assert.match(problem ?? '', /^r: no order explains its 3 operations; after 2 of them: .*"first"/);
  assert.deepEqual(more, []);
});

test('a swap of unknown outcome may have happened, or not, but not both', () => {
  const history = new History();
  const swap = { kind: 'swap', expected: 'first', value: '1' } as const;
  history.returned('r', history.call(), swap, 'unknown');
  history.returned('r', history.call(), { kind: 'read', value: 'first' }, 'ok');
  history.returned('r', history.call(), { kind: 'read', value: '1' }, 'ok');
  assert.deepEqual(history.judgeRegisters('first'), []);
  history.returned('r', history.call(), { kind: 'read', value: 'first' }, 'ok');
  assert.equal(history.judgeRegisters('first').length, 1);
});
