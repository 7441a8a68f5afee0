import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../common/clock.ts';

const DAY_MS = 24 * 3_600_000;

// Node fires a timer of more than this, 24.8 days, after 1 ms.
const LONGEST_MS = 2 ** 31 - 1;

/** The time that the returned function lets pass stops where a timer of Node may be due. */
function mockTime(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  return (ms: number) => {
    for (let left = ms; left > 0; left -= LONGEST_MS) {
      t.mock.timers.tick(Math.min(left, LONGEST_MS));
    }
  };
}

for (const ms of [1, DAY_MS, LONGEST_MS, LONGEST_MS + 1, 60 * DAY_MS, 2 ** 33 + 5]) {
  test(`a timer of ${ms} ms fires once, and not before`, (t) => {
    const pass = mockTime(t);
    let fired = 0;
    systemClock.setTimer(ms, () => fired++);
    pass(ms - 1);
    assert.equal(fired, 0);
    pass(1);
    assert.equal(fired, 1);
    pass(60 * DAY_MS);
    assert.equal(fired, 1);
  });
}

test('a long timer can be cancelled at any time', (t) => {
  const pass = mockTime(t);
  for (const days of [1, 30]) {
    const timer = systemClock.setTimer(60 * DAY_MS, () => assert.fail('it was cancelled'));
    pass(days * DAY_MS);
    timer.cancel();
    pass(60 * DAY_MS);
  }
});

test('one that is never due never fires', (t) => {
  const pass = mockTime(t);
  systemClock.setTimer(Number.POSITIVE_INFINITY, () => assert.fail('it fired'));
  pass(100 * DAY_MS);
});
