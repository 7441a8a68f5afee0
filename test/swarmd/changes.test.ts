import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SwarmError } from '../../common/errors.ts';
import { silentLogger } from '../../common/logger.ts';
import { Changes } from '../../swarmd/changes.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const REASON = new SwarmError('SWM_UNAVAILABLE', 'this node was told to leave');

test('changes come one at a time', async () => {
  const { changes } = bench();
  const first = endless();
  const running = changes.run(first.change);
  await assert.rejects(
    changes.run(async () => 'second'),
    { code: 'SWM_UNAVAILABLE', message: 'this node is joining or leaving a swarm just now' },
  );
  first.end('first');
  assert.equal(await running, 'first');
  assert.equal(await changes.run(async () => 'second'), 'second');
});

test('a change that takes too long is answered, and goes on', async () => {
  const { changes, clock } = bench();
  const join = endless();
  const answer = assert.rejects(changes.runWithin(20_000, join.change), { code: 'SWM_TIMEOUT' });
  await clock.advance(20_000);
  await answer;
  await assert.rejects(
    changes.run(async () => undefined),
    { code: 'SWM_UNAVAILABLE' },
  );
  join.end('late');
  assert.equal(await changes.interrupt(REASON), true, 'it is waited for');
  assert.equal(await changes.run(async () => 'next'), 'next');
});

test('a change is interrupted, and who waits for it is told why', async () => {
  const { changes } = bench();
  assert.equal(await changes.interrupt(REASON), false, 'there is none');
  const running = assert.rejects(changes.run(endless().change), REASON);
  assert.equal(await changes.interrupt(REASON), true);
  await running;
  assert.equal(await changes.run(async () => 'next'), 'next');
});

function bench() {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1));
  return { clock, changes: new Changes({ clock, logger: silentLogger }) };
}

/** A change that ends when it is told to, or interrupted. */
function endless() {
  let end: (result: string) => void = () => undefined;
  const change = (signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      end = resolve;
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  return { change, end: (result: string) => end(result) };
}
