import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { TriggerLoop } from '../../common/trigger-loop.ts';
import { onEnd } from '../support/cleanup.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

const RETRY_MS = 1_000;

test('it acts when it starts, and then once for all that fired it since', async (t) => {
  const { loop, acts } = await startLoop(t);
  assert.equal(acts.length, 1);
  acts[0]!.end();
  await settle();
  assert.equal(acts.length, 1, 'nothing fired it');

  for (let i = 0; i < 3; i++) loop.fire();
  await settle();
  assert.equal(acts.length, 2);
});

test('what fires it during an act makes for one more, after it', async (t) => {
  const { loop, acts } = await startLoop(t);
  loop.fire();
  loop.fire();
  await settle();
  assert.equal(acts.length, 1, 'one act at a time');
  acts[0]!.end();
  await settle();
  assert.equal(acts.length, 2);
  acts[1]!.end();
  await settle();
  assert.equal(acts.length, 2);
});

test('after a failure it rests, whatever fires it, and acts once more', async (t) => {
  const { loop, acts, failures, clock } = await startLoop(t);
  acts[0]!.fail('no');
  loop.fire();
  await clock.advance(RETRY_MS - 1);
  assert.deepEqual([acts.length, failures], [1, ['no']]);
  loop.fire();
  await clock.advance(1);
  assert.equal(acts.length, 2);
  acts[1]!.end();
  await clock.advance(10 * RETRY_MS);
  assert.deepEqual([acts.length, failures], [2, ['no']], 'success ends it');
});

test('it goes on after any number of failures, and also of acts that throw at once', async (t) => {
  const clock = new VirtualClock();
  const failures: unknown[] = [];
  const act = () => {
    throw new Error(`${failures.length}`);
  };
  const onFailure = (error: unknown) => failures.push((error as Error).message);
  const loop = new TriggerLoop({ clock }, { act, retryMs: RETRY_MS, onFailure });
  await loop.start();
  onEnd(t, () => loop.stop());
  await clock.advance(3 * RETRY_MS);
  assert.deepEqual(failures, ['0', '1', '2', '3']);
});

test('it can be told to act later; the later word counts', async (t) => {
  const { loop, acts, clock } = await startLoop(t);
  acts[0]!.end();
  loop.fireIn(500);
  await clock.advance(400);
  loop.fireIn(500);
  await clock.advance(499);
  assert.equal(acts.length, 1);
  await clock.advance(1);
  assert.equal(acts.length, 2);
});

test('stopped while it waits', async (t) => {
  const { loop, acts, clock } = await startLoop(t);
  acts[0]!.end();
  loop.fireIn(500);
  await settle();
  await loop.stop();
  loop.fire();
  loop.fireIn(500);
  await clock.advance(RETRY_MS);
  assert.equal(acts.length, 1);
  assert.equal(clock.pending, 0);
});

test('stopped during an act: it waits for its end, and tells nothing', async (t) => {
  for (const end of ['end', 'fail'] as const) {
    const { loop, acts, failures, clock } = await startLoop(t);
    loop.fire();
    let isStopped = false;
    const stopped = loop.stop().then(() => {
      isStopped = true;
    });
    assert.equal(acts[0]!.signal.aborted, true);
    await settle();
    assert.equal(isStopped, false);
    acts[0]![end]('stopped');
    await stopped;
    await clock.advance(RETRY_MS);
    assert.deepEqual([acts.length, failures, clock.pending], [1, [], 0]);
  }
});

test('stopped during the rest after a failure', async (t) => {
  const { loop, acts, clock } = await startLoop(t);
  acts[0]!.fail('no');
  await settle();
  assert.equal(clock.pending, 1);
  await loop.stop();
  assert.equal(clock.pending, 0);
  await clock.advance(2 * RETRY_MS);
  assert.equal(acts.length, 1);
});

test('stopped before it was started', async () => {
  const loop = new TriggerLoop(
    { clock: new VirtualClock() },
    { act: () => assert.fail('acted'), retryMs: RETRY_MS, onFailure: () => assert.fail() },
  );
  await loop.stop();
  await loop.start();
  await settle();
});

interface Act {
  readonly signal: AbortSignal;
  readonly end: () => void;
  readonly fail: (message: string) => void;
}

/** A loop that has begun its first act. Each act lasts until the test ends it. */
async function startLoop(t: TestContext) {
  const clock = new VirtualClock();
  const acts: Act[] = [];
  const failures: string[] = [];
  const loop = new TriggerLoop(
    { clock },
    {
      act: (signal) =>
        new Promise((resolve, reject) => {
          acts.push({ signal, end: resolve, fail: (message) => reject(new Error(message)) });
        }),
      retryMs: RETRY_MS,
      onFailure: (error) => failures.push((error as Error).message),
    },
  );
  await loop.start();
  onEnd(t, () => {
    for (const act of acts) act.end();
    return loop.stop();
  });
  await settle();
  return { clock, loop, acts, failures };
}

test('the rest of a period moves the clock, however small it is', async (t) => {
  const clock = new VirtualClock();
  // As the timers of Node, which may be early by less than a millisecond.
  const early = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimer: (ms: number, fn: () => void) => clock.setTimer(ms - 0.4, fn),
  };
  const until = early.monotonic() + 500;
  const looks: number[] = [];
  const loop = new TriggerLoop(
    { clock: early },
    {
      act: async () => {
        const rest = until - early.monotonic();
        // More of them would be without end.
        if (looks.push(rest) < 5 && rest > 0) loop.fireIn(rest);
      },
      retryMs: RETRY_MS,
      onFailure: assert.ifError,
    },
  );
  await loop.start();
  onEnd(t, () => loop.stop());
  await clock.advance(1_000);
  assert.equal(looks.length, 3);
  assert.ok(looks[2]! <= 0);
});
