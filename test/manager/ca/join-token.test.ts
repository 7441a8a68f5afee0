import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  constantTimeEqual,
  generateJoinToken,
  parseJoinToken,
} from '../../../manager/ca/join-token.ts';
import { seededRandom } from '../../support/seeded-random.ts';

test('what is generated parses back to the same digest', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(), (digest, seed) => {
      const token = generateJoinToken(digest, seededRandom(seed));
      assert.match(token, /^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
      assert.deepEqual(parseJoinToken(token).rootDigest, Buffer.from(digest));
      assert.deepEqual(parseJoinToken(` ${token}\n`).rootDigest, Buffer.from(digest));
    }),
  );
});

const good = generateJoinToken(new Uint8Array(32).fill(7), seededRandom(1));
const cases: Record<string, string> = {
  'the empty text': '',
  'another prefix': good.replace('SWMTKN-1', 'SWMTKN-9'),
  'a short digest': good.replace(/-1-./, '-1-'),
  'a long secret': `${good}0`,
  'upper case': good.toUpperCase().replace('SWMTKN', 'SWMTKN'),
  'a character outside base 36': good.replace(/.$/, '_'),
  'a digest of more than 256 bits': `SWMTKN-1-${'z'.repeat(50)}-${'0'.repeat(25)}`,
  'a part too many': `${good}-x`,
};

for (const [what, token] of Object.entries(cases)) {
  test(`${what} is no join token`, () => {
    assert.throws(() => parseJoinToken(token), {
      code: 'SWM_INVALID_ARGUMENT',
      message: 'invalid join token',
    });
  });
}

test('constantTimeEqual is equality', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      assert.equal(constantTimeEqual(a, b), a === b);
      assert(constantTimeEqual(a, a));
    }),
  );
});
