import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { renewalDelay, retryDelay } from '../../../manager/ca/renewal.ts';
import { seededRandom } from '../../support/seeded-random.ts';

test('certificates are renewed at 50-80 % of their validity', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e11 }), fc.nat(), (length, seed) => {
      const delay = renewalDelay({ notBefore: 0, notAfter: length }, 0, seededRandom(seed));
      assert(delay >= length * 0.5 && delay <= length * 0.8);
    }),
  );
});

test('a certificate past that point is renewed at once', () => {
  const random = seededRandom(1);
  assert.equal(renewalDelay({ notBefore: 0, notAfter: 100 }, 81, random), 0);
  assert.equal(renewalDelay({ notBefore: 0, notAfter: 100 }, 1_000, random), 0);
});

test('tries after failures grow apart up to an hour', () => {
  const random = seededRandom(1);
  for (const [failures, ceiling] of [
    [1, 5_000],
    [2, 10_000],
    [5, 80_000],
    [50, 3_600_000],
  ] as const) {
    const delay = retryDelay(failures, random);
    assert(delay >= ceiling / 2 && delay <= ceiling, `${failures} failures: ${delay} ms`);
  }
});
