import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Inflights } from '../../manager/raft/tracker/inflights.ts';

test('the window is full by number or by bytes, the latter passed by one message at most', () => {
  const byCount = new Inflights(2, 0);
  byCount.add(1, 1_000);
  assert.equal(byCount.full, false);
  byCount.add(2, 1_000);
  assert.equal(byCount.full, true);
  assert.throws(() => byCount.add(3, 1));

  const byBytes = new Inflights(10, 100);
  byBytes.add(1, 99);
  assert.equal(byBytes.full, false);
  byBytes.add(2, 50);
  assert.equal(byBytes.full, true);
  byBytes.freeUpTo(1);
  assert.equal(byBytes.bytes, 50);
  assert.equal(byBytes.full, false);
});

test('7: reset forgets the bytes too', () => {
  const inflights = new Inflights(10, 100);
  inflights.add(1, 100);
  assert.equal(inflights.full, true);
  inflights.reset();
  assert.equal(inflights.bytes, 0);
  assert.equal(inflights.full, false);
});

test('8: acknowledging the last message frees it', () => {
  const inflights = new Inflights(10, 0);
  for (let i = 1; i <= 10; i++) inflights.add(i, 1);
  inflights.freeUpTo(10);
  assert.equal(inflights.count, 0);
  assert.equal(inflights.bytes, 0);
});

test('9: the ring behaves like a list, however often it wraps around', () => {
  const action = fc.oneof(
    fc.record({ add: fc.integer({ min: 0, max: 20 }) }),
    fc.record({ free: fc.integer({ min: 0, max: 12 }) }),
    fc.constant({ reset: true as const }),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 0, max: 60 }),
      fc.array(action, { maxLength: 200, size: 'max' }),
      (maxCount, maxBytes, actions) => {
        const ring = new Inflights(maxCount, maxBytes);
        let list: { index: number; bytes: number }[] = [];
        let last = 0;
        const sum = () => list.reduce((total, { bytes }) => total + bytes, 0);
        const isFull = () => list.length >= maxCount || (maxBytes > 0 && sum() >= maxBytes);
        for (const each of actions) {
          if ('add' in each) {
            if (isFull()) continue;
            last++;
            ring.add(last, each.add);
            list.push({ index: last, bytes: each.add });
          } else if ('free' in each) {
            const upTo = (list[0]?.index ?? 0) + each.free - 1;
            ring.freeUpTo(upTo);
            list = list.filter(({ index }) => index > upTo);
          } else {
            ring.reset();
            list = [];
          }
          assert.deepEqual(
            { count: ring.count, bytes: ring.bytes, full: ring.full },
            { count: list.length, bytes: sum(), full: isFull() },
          );
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('describe() shows the messages in flight', () => {
  const inflights = new Inflights(3, 100);
  for (const index of [4, 5, 8]) inflights.add(index, 10);
  inflights.freeUpTo(4);
  assert.equal(inflights.describe(), '2/3 messages, 20/100 bytes: 5 8');
  assert.equal(new Inflights(3, 0).describe(), '0/3 messages, 0 bytes: ');
});
