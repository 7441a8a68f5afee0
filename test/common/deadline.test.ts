import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../../common/clock.ts';
import { deadline, endsWithin, within } from '../../common/deadline.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const never = new AbortController();
const limit = { ms: 100, late: () => new Error('too late') };
const forever = () => new Promise<never>(() => {});

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

test('nothing of it is left at a signal that lives on', async () => {
  const clock = new VirtualClock();
  const signal = new AbortController().signal;
  const left = () => getEventListeners(signal, 'abort').length + clock.pending;
  deadline(clock, 100, signal, undefined).cancel();
  assert.equal(left(), 0);
  await within(clock, { ...limit, signal }, async () => undefined);
  await endsWithin(clock, 100, Promise.resolve(), signal);
  assert.equal(left(), 0);
  const late = within(clock, { ...limit, signal }, forever);
  const running = endsWithin(clock, 100, new Promise(() => {}), signal);
  assert.equal(left(), 4);
  await Promise.all([assert.rejects(late), clock.advance(100)]);
  assert.equal(await running, false);
  assert.equal(left(), 0);
});

test('work within its time is what it is, well done or not', async () => {
  const clock = new VirtualClock();
  assert.equal(await within(clock, limit, async () => 7), 7);
  const no = () => Promise.reject(new Error('no'));
  await assert.rejects(within(clock, limit, no), /^Error: no$/);
  const thrower = () => {
    throw new Error('at once');
  };
  await assert.rejects(within(clock, limit, thrower), /at once/);
  assert.equal(await endsWithin(clock, 100, Promise.resolve()), true);
  await assert.rejects(endsWithin(clock, 100, no()), /no/);
  assert.equal(clock.pending, 0);
});

test('late work is told so, and is not waited for', async () => {
  const clock = new VirtualClock();
  let told: AbortSignal | undefined;
  const outcome = within(clock, limit, (signal) => {
    told = signal;
    return forever();
  });
  const refused = assert.rejects(outcome, /too late/);
  await clock.advance(99);
  assert.equal(told?.aborted, false);
  await clock.advance(1);
  await refused;
  assert.equal(told?.aborted, true);
});

test('what fails because its time is over is late, whatever it says', async () => {
  const clock = new VirtualClock();
  const heeds = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('cancelled')));
    });
  const refused = assert.rejects(within(clock, limit, heeds), /too late/);
  await clock.advance(100);
  await refused;
});

test('a signal ends the waiting with its reason, before work begins and after', async () => {
  const clock = new VirtualClock();
  const other = new AbortController();
  const waiting = within(clock, { ...limit, signal: other.signal }, forever);
  const ending = endsWithin(clock, 100, forever(), other.signal);
  other.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  assert.equal(await ending, false);
  const unbegun = () => assert.fail('begun');
  await assert.rejects(within(clock, { ...limit, signal: other.signal }, unbegun), /enough/);
  assert.equal(clock.pending, 0);
});

test('without an end of time, work is waited for as long as it takes', async () => {
  const clock = new VirtualClock();
  let end = () => {};
  const work = new Promise<void>((resolve) => (end = resolve));
  const ended = endsWithin(clock, Number.POSITIVE_INFINITY, work);
  assert.equal(clock.pending, 0);
  end();
  await settle();
  assert.equal(await ended, true);
});
