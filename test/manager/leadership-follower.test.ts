import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../common/logger.ts';
import { LeadershipFollower } from '../../manager/leadership-follower.ts';
import { settle, VirtualClock } from '../support/virtual-clock.ts';

/** Roles that start when told, and a record of what happened to them. */
function bench(options: { failFirst?: boolean } = {}) {
  const clock = new VirtualClock();
  const events: string[] = [];
  let count = 0;
  let release = () => {};
  const follower = new LeadershipFollower({
    clock,
    logger: silentLogger,
    createRole: () => {
      const id = ++count;
      return {
        async start() {
          events.push(`start ${id}`);
          if (options.failFirst && id === 1) throw new Error('no');
          await new Promise<void>((resolve) => {
            release = resolve;
          });
          events.push(`started ${id}`);
        },
        async stop() {
          events.push(`stop ${id}`);
        },
      };
    },
  });
  return { follower, events, clock, release: () => release() };
}

test('a role starts once and stops once', async () => {
  const { follower, events, release } = bench();
  follower.follow(true);
  await settle();
  assert.equal(follower.role, undefined, 'not before it runs whole');
  release();
  await follower.started(new AbortController().signal);
  assert(follower.role);
  follower.follow(false);
  assert.equal(follower.role, undefined, 'at once');
  await settle();
  assert.deepEqual(events, ['start 1', 'started 1', 'stop 1']);
});

test('leadership that comes and goes has one role at a time', async () => {
  const { follower, events, release } = bench();
  follower.follow(true);
  await settle();
  follower.follow(false);
  follower.follow(true);
  release();
  await settle();
  // Somebody else may have led in between, so the role of the first time is not kept.
  assert.deepEqual(events, ['start 1', 'started 1', 'stop 1', 'start 2']);
  assert.equal(follower.role, undefined);
  release();
  await settle();
  assert.deepEqual(events, ['start 1', 'started 1', 'stop 1', 'start 2', 'started 2']);
  await follower.stop();
  assert.equal(events.at(-1), 'stop 2');
});

test('a role that fails to start is told and tried again', async () => {
  const { follower, events, clock, release } = bench({ failFirst: true });
  const started = follower.started(new AbortController().signal);
  follower.follow(true);
  await assert.rejects(started, /no/);
  await clock.advance(1_100);
  release();
  await settle();
  assert.deepEqual(events, ['start 1', 'start 2', 'started 2']);
  await follower.stop();
});
