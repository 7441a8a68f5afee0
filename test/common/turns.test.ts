import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../common/clock.ts';
import { Slices } from '../../common/slices.ts';
import { TurnQueue } from '../../common/turn-queue.ts';
import { nextTurn } from '../../common/turns.ts';

test('work is cut into slices of five milliseconds, however much there is', async () => {
  // Each look at the clock is a step that took one millisecond.
  let time = 0;
  const clock = { ...systemClock, monotonic: () => time };
  const stretches = [0];
  const yieldTurn = async (what?: string) => {
    assert.equal(what, 'a test');
    stretches.push(0);
  };
  const slices = new Slices({ clock, yieldTurn }, 'a test');
  for (let step = 0; step < 1000; step++) {
    time += 1;
    stretches[stretches.length - 1]! += 1;
    if (slices.isUsedUp) await slices.next();
  }
  assert.deepEqual(new Set(stretches.slice(0, -1)), new Set([5]));
});

test('of all works that wait, one goes on in each turn of the event loop, in their order', async () => {
  const told: string[] = [];
  const queue = new TurnQueue({ onTurn: (what) => told.push(what) });
  let turn = 0;
  const turns: number[] = [];
  const worker = async (name: string) => {
    for (let i = 0; i < 3; i++) {
      await queue.next(name);
      turns.push(turn);
    }
  };
  const done = Promise.all(['a', 'b', 'c'].map(worker));
  let running = true;
  void done.then(() => {
    running = false;
  });
  while (running) {
    turn++;
    await nextTurn();
  }
  assert.deepEqual(told, ['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c']);
  assert.equal(new Set(turns).size, 9, 'no two went on in one turn');
});
