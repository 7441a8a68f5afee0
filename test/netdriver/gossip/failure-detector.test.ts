import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Effect,
  FailureDetector,
  type Liveness,
} from '../../../netdriver/gossip/failure-detector.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const INCARNATION = 100;

function detectorOf(...others: string[]): FailureDetector {
  const init = { selfId: 'self', incarnation: INCARNATION };
  const detector = new FailureDetector({ random: seededRandom(1) }, init);
  detector.setMembers(['self', ...others]);
  return detector;
}

const claim = (nodeId: string, liveness: Liveness, from: string, incarnation = 0) => ({
  nodeId,
  liveness,
  from,
  incarnation,
});

function broadcasts(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) =>
    effect.type === 'broadcast' ? [`${effect.claim.nodeId} ${effect.claim.liveness}`] : [],
  );
}

/** Ticks until a probe of this node has failed. */
function suspectSomeone(detector: FailureDetector): { effects: Effect[]; now: number } {
  const effects: Effect[] = [];
  for (let now = 0; ; now += 100) {
    effects.push(...detector.tick(now));
    if (broadcasts(effects).length > 0) return { effects, now };
    assert.ok(now < 10_000, 'nobody is suspected');
  }
}

test('a suspicion of its own is broadcast', () => {
  const { effects } = suspectSomeone(detectorOf('a', 'b', 'c'));
  assert.equal(broadcasts(effects).length, 1);
  assert.match(broadcasts(effects)[0] ?? '', / suspect$/);
});

test('what others broadcast is believed, and not broadcast again', () => {
  const detector = detectorOf('a', 'b', 'c', 'd', 'e');
  for (const from of ['b', 'c', 'd']) {
    assert.deepEqual(broadcasts(detector.receive([claim('a', 'suspect', from)], 0)), []);
  }
  let died: readonly Effect[] = [];
  for (let now = 0; now < 60_000 && detector.isAlive('a'); now += 100) died = detector.tick(now);
  assert.equal(detector.isAlive('a'), false);
  assert.ok(!broadcasts(died).includes('a dead'));
});

test('who suspected a node tells when its time is over', () => {
  const detector = detectorOf('a');
  const { now: since } = suspectSomeone(detector);
  const effects: Effect[] = [];
  for (let now = since; detector.isAlive('a'); now += 100) effects.push(...detector.tick(now));
  assert.deepEqual(broadcasts(effects), ['a dead']);
});

test('an accusation is refuted once, however many repeat it', () => {
  const detector = detectorOf('a', 'b', 'c');
  const accuse = (from: string) =>
    broadcasts(detector.receive([claim('self', 'suspect', from, INCARNATION)], 0));
  assert.deepEqual(['a', 'b', 'c'].flatMap(accuse), ['self alive']);
  assert.equal(detector.self().incarnation, INCARNATION + 1);
});
