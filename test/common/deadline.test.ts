import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../../common/clock.ts';
import { deadline } from '../../common/deadline.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const never = new AbortController();

test('it comes when its time is over, and not when it was cancelled', async () => {
  const clock = new VirtualClock();
  const [over, cancelled] = [deadline(clock, 100, never.signal), deadline(clock, 100)];
  cancelled.cancel();
  await clock.advance(99);
  assert.equal(over.signal.aborted, false);
  await clock.advance(1);
  assert.deepEqual([over.signal.aborted, over.isOver], [true, true]);
  assert.deepEqual([cancelled.signal.aborted, cancelled.isOver], [false, false]);
});

test('another signal may come first', () => {
  const other = new AbortController();
  const limit = deadline(new VirtualClock(), 100, never.signal, other.signal);
  other.abort('enough');
  assert.equal(limit.signal.reason, 'enough');
  assert.equal(limit.isOver, false);
});

test('garbage collection does not take it away', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const keepsAlive = setInterval(() => undefined, 1_000);
  const come = Array.from(
    { length: 20 },
    () =>
      new Promise<void>((resolve) => {
        const { signal } = deadline(systemClock, 50, never.signal);
        signal.addEventListener('abort', () => resolve(), { once: true });
      }),
  );
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  await Promise.all(come);
  clearInterval(keepsAlive);
});
