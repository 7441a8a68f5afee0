import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SwarmError } from '../../../common/errors.ts';
import { errorOfCode, fromServiceError } from '../../../common/grpc-errors.ts';
import { routedControl } from '../../../manager/control/index.ts';
import type { ControlApi } from '../../../manager/types.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const NOT_LEADER = new SwarmError('SWM_NOT_LEADER', 'This manager is not the leader.');
/** What grpc-js says where nobody listens. */
const REFUSED =
  'No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.1:2377. Resolution note: ';
const UNREACHABLE = fromServiceError(
  Object.assign(new Error(REFUSED), { code: 14, details: REFUSED }),
);
/** The leader took it, and could not reach somebody else. */
const TAKEN = errorOfCode('SWM_UNAVAILABLE', UNREACHABLE.message);
const LOST = new SwarmError('SWM_UNAVAILABLE', 'This manager lost leadership before …');

/** Removes a service through managers of which each answers as told, the last one ever after. */
function removal(...answers: readonly (SwarmError | 'done')[]) {
  const clock = new VirtualClock();
  let calls = 0;
  const manager: Partial<ControlApi> = {
    removeService: async () => {
      const answer = answers[Math.min(calls++, answers.length - 1)];
      if (answer instanceof SwarmError) throw answer;
    },
  };
  const control = routedControl({ clock, target: async () => manager as ControlApi });
  let outcome: unknown;
  control.removeService('s1').then(
    () => {
      outcome = 'done';
    },
    (error) => {
      outcome = error;
    },
  );
  return { clock, outcome: () => outcome, calls: () => calls };
}

test('what nobody took is repeated until the new leader is ready', async () => {
  const { clock, outcome, calls } = removal(
    UNREACHABLE,
    NOT_LEADER,
    NOT_LEADER,
    NOT_LEADER,
    'done',
  );
  await clock.advance(1_000);
  assert.equal(outcome(), 'done');
  assert.equal(calls(), 5);
});

test('what may have happened is not repeated', async () => {
  for (const answer of [LOST, TAKEN]) {
    const { clock, outcome, calls } = removal(answer, 'done');
    await clock.advance(1_000);
    assert.equal(outcome(), answer);
    assert.equal(calls(), 1);
  }
});

test('the reason is told when nobody takes it for long', async () => {
  const { clock, outcome } = removal(NOT_LEADER);
  await clock.advance(2_000);
  assert.equal(outcome(), undefined);
  await clock.advance(2_000);
  assert.equal(outcome(), NOT_LEADER);
});
