import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ErrorCode, errorCatalogue, SwarmError } from '../../common/errors.ts';
import {
  errorOfCode,
  fromServiceError,
  neverConnected,
  toServiceError,
} from '../../common/grpc-errors.ts';

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

for (const [details, message] of [
  [
    'No connection established. Last error: Error: connect EHOSTUNREACH 10.0.0.1:2377. Resolution note: ',
    'No connection to 10.0.0.1:2377: no route to host',
  ],
  [
    'No connection established. Last error: Error: certificate has expired. Resolution note: ',
    'No connection established: certificate has expired',
  ],
  [
    'Name resolution failed for target dns:nobody:2377',
    'No connection to nobody:2377: its name cannot be resolved',
  ],
] as const) {
  test(`gRPC's "${details}" in words for people`, () => {
    const failure = Object.assign(new Error(details), { code: 14, details });
    const error = fromServiceError(failure);
    assert.deepEqual([error.code, error.message], ['SWM_UNAVAILABLE', message]);
    assert.ok(neverConnected(error));
  });
}

test('a server that has no connection itself was reached all the same', () => {
  const message = 'No connection to 10.0.0.1:2377: connection refused';
  const told = toServiceError(new SwarmError('SWM_UNAVAILABLE', message));
  const error = fromServiceError(Object.assign(new Error(message), told));
  assert.deepEqual([error.code, error.message], ['SWM_UNAVAILABLE', message]);
  assert.equal(neverConnected(error), false);
  assert.equal(neverConnected(errorOfCode('SWM_UNAVAILABLE', message)), false);
});
