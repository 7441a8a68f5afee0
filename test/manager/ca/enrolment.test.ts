import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SwarmError } from '../../../common/errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import { enrol } from '../../../manager/ca/enrolment.ts';
import { generateJoinToken } from '../../../manager/ca/join-token.ts';
import { NodeSpec_Availability } from '../../../proto/gen/swarm/specs.ts';
import { eventually } from '../../support/eventually.ts';
import { deafServer, freeAddr } from '../../support/loopback.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const LIMIT_MS = 600_000;

test('managers that do not answer are asked five times, for five seconds each', async (t) => {
  const clock = new VirtualClock();
  let asked = 0;
  const remotes = [await deafServer(t, () => asked++), await deafServer(t, () => asked++)];
  const { failed, joining } = join(clock, remotes);
  const took = await clock.until(() => failed.length > 0, LIMIT_MS);
  await joining;
  assert.match(String(failed[0]), /no answer from .* within 5 s/);
  // Five rounds of two managers, with two seconds between the rounds; a sixth would take 12 s more.
  assert.ok(took >= 58_000 && took < 65_000, `it gave up after ${took} ms`);
  assert.ok(asked >= 2, 'both');
  assert.equal(clock.pending, 0);
});

test('where nobody listens, it is said so, and what to look at', async () => {
  const clock = new VirtualClock();
  const remote = await freeAddr();
  const { failed, joining } = join(clock, [remote]);
  await clock.until(() => failed.length > 0, LIMIT_MS);
  await joining;
  const { code, message, hint } = failed[0] as SwarmError;
  assert.deepEqual(
    [code, message],
    ['SWM_UNAVAILABLE', `No connection to ${remote}: connection refused`],
  );
  assert.match(hint ?? '', /does swarmd run there, and is its port \(2377\/tcp\) open/);
});

test('one that is told to leave it does so at once, also between two rounds', async () => {
  const clock = new VirtualClock();
  const abort = new AbortController();
  let rounds = 0;
  const init = { signal: abort.signal, onRoundOver: () => rounds++ };
  const { failed, joining } = join(clock, [await freeAddr()], init);
  await eventually(() => assert.equal(rounds, 1));
  assert.equal(clock.pending, 1, 'the rest before the next round');
  abort.abort(new Error('enough'));
  await joining;
  assert.match(String(failed[0]), /enough/);
  assert.equal(clock.pending, 0);
});

interface JoinInit {
  readonly signal?: AbortSignal;
  readonly onRoundOver?: () => void;
}

function join(clock: VirtualClock, remotes: readonly string[], init: JoinInit = {}) {
  const random = seededRandom(1);
  const logger = Object.assign(Object.create(silentLogger), {
    debug: init.onRoundOver ?? (() => {}),
  });
  const request = {
    remotes,
    token: generateJoinToken(Buffer.alloc(32, 7), random),
    availability: NodeSpec_Availability.ACTIVE,
    signal: init.signal,
  };
  const failed: unknown[] = [];
  const joining = enrol({ clock, random, logger }, request).then(
    () => assert.fail('it joined'),
    (error) => void failed.push(error),
  );
  return { failed, joining };
}
