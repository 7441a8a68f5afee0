import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkRegister, type Recorded, type RegisterOperation } from './linearizability.ts';

const read = (value: string): RegisterOperation => ({ kind: 'read', value });
const write = (value: string): RegisterOperation => ({ kind: 'write', value });
const swap = (expected: string, value: string): RegisterOperation => ({
  kind: 'swap',
  expected,
  value,
});
const at = (called: number, returned: number, operation: RegisterOperation): Recorded => ({
  called,
  returned,
  operation,
});
const ok = (...history: Recorded[]) => checkRegister(history, '').ok;

test('what comes one after the other must be seen in that order', () => {
  assert.ok(ok(at(1, 2, write('a')), at(3, 4, read('a'))));
  assert.ok(!ok(at(1, 2, write('a')), at(3, 4, read(''))));
  assert.ok(!ok(at(1, 2, write('a')), at(3, 4, write('b')), at(5, 6, read('a'))));
});

test('what overlaps may be seen in either order, but not in both', () => {
  assert.ok(ok(at(1, 9, write('a')), at(2, 3, read('')), at(4, 5, read('a'))));
  assert.ok(!ok(at(1, 9, write('a')), at(2, 3, read('a')), at(4, 5, read(''))));
  const both = [at(1, 9, write('a')), at(1, 9, write('b'))];
  assert.ok(ok(...both, at(10, 11, read('a')), at(12, 13, read('a'))));
  assert.ok(!ok(...both, at(10, 11, read('a')), at(12, 13, read('b'))));
});

test('a swap takes effect only on the value that it expects', () => {
  assert.ok(ok(at(1, 2, write('a')), at(3, 4, swap('a', 'b')), at(5, 6, read('b'))));
  assert.ok(!ok(at(1, 2, write('a')), at(3, 9, swap('a', 'b')), at(3, 9, swap('a', 'c'))));
});

test('what never returned may have happened, at any time, or not', () => {
  const lost = at(1, Infinity, write('a'));
  assert.ok(ok(lost, at(2, 3, read(''))));
  assert.ok(ok(lost, at(2, 3, read('')), at(8, 9, read('a'))));
  assert.ok(!ok(lost, at(2, 3, read('a')), at(8, 9, read(''))));
  assert.ok(!ok(at(2, 3, read('a')), at(4, Infinity, write('a'))));
});

test('the verdict names what could not come next', () => {
  const stale = at(3, 4, read(''));
  const verdict = checkRegister([at(1, 2, write('a')), stale], '');
  assert.deepEqual(verdict, { ok: false, done: 1, stuck: [stale] });
});

/** By trying every order. */
function byForce(history: readonly Recorded[], state: string): boolean {
  const open = history.filter(({ returned }) => returned < Infinity);
  if (open.length === 0) return true;
  const firstReturn = Math.min(...history.map(({ returned }) => returned));
  return history.some((recorded) => {
    const { operation, called } = recorded;
    if (called > firstReturn) return false;
    if (operation.kind === 'read' && operation.value !== state) return false;
    if (operation.kind === 'swap' && operation.expected !== state) return false;
    const after = operation.kind === 'read' ? state : operation.value;
    return byForce(
      history.filter((other) => other !== recorded),
      after,
    );
  });
}

test('finds what trying every order finds', () => {
  const value = fc.constantFrom('', 'a', 'b');
  const operation = fc.oneof(
    value.map(read),
    value.map(write),
    fc.tuple(value, value).map(([expected, next]) => swap(expected, next)),
  );
  const recorded = fc
    .record({
      called: fc.nat(20),
      lasts: fc.integer({ min: 1, max: 9 }),
      lost: fc.nat(4),
      operation,
    })
    .map(({ called, lasts, lost, operation }) =>
      at(called, lost === 0 ? Infinity : called + lasts + 0.5, operation),
    );
  let linearizable = 0;
  fc.assert(
    fc.property(fc.array(recorded, { maxLength: 6 }), (history) => {
      const expected = byForce(history, '');
      if (expected) linearizable++;
      assert.equal(checkRegister(history, '').ok, expected);
    }),
    { numRuns: 3_000, seed: 7 },
  );
  assert.ok(linearizable > 300 && linearizable < 2_700, `${linearizable}`);
});
