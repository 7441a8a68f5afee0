import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ErrorCode, errorCatalogue, SwarmError } from '../../common/errors.ts';
import { fromServiceError, toServiceError } from '../../common/grpc-errors.ts';

const page = readFileSync('docs/errors.md', 'utf8');
const rows = [...page.matchAll(/^\| `(SWM_\w+)` \| (\d+) \|/gm)].map((m) => [m[1], Number(m[2])]);

test('docs/errors.md has a row for each code, with its HTTP status, and no other', () => {
  const catalogue = Object.entries(errorCatalogue).map(([code, entry]) => [code, entry.http]);
  assert.deepEqual(rows.sort(), catalogue.sort());
});

for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
  test(`${code} survives a gRPC call with its text and hint`, () => {
    const sent = new SwarmError(code, 'what was wanted', { hint: 'what to do' });
    const received = fromServiceError(toServiceError(sent));
    assert.deepEqual(
      [received.code, received.message, received.hint],
      [code, 'what was wanted', 'what to do'],
    );
  });
}
