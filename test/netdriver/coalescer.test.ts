import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Coalescer } from '../../netdriver/coalescer.ts';

describe('a coalescer', () => {
  test('never runs twice at once, and each call sees a run that began after it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.integer({ min: 1, max: 12 }), async (s, calls) => {
        let running = 0;
        let started = 0;
        const coalescer = new Coalescer(async () => {
          running += 1;
          started += 1;
          assert.equal(running, 1);
          await s.schedule(Promise.resolve());
          running -= 1;
        });
        const waits = Array.from({ length: calls }, (_, i) =>
          s.schedule(Promise.resolve(i)).then(async () => {
            const before = started;
            await coalescer.run();
            assert.ok(started > before);
          }),
        );
        await s.waitFor(Promise.all(waits));
        assert.ok(started <= calls);
      }),
    );
  });
});
