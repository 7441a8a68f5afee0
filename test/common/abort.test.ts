import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { onAbort, unlessAborted } from '../../common/abort.ts';

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('onAbort', () => {
  it('calls the listener once, also when it comes too late', () => {
    const abort = new AbortController();
    let calls = 0;
    onAbort(abort.signal, () => calls++);
    abort.abort();
    onAbort(abort.signal, () => calls++);
    assert.equal(calls, 2);
  });

  it('leaves nothing behind when it is taken back', () => {
    const { signal } = new AbortController();
    const forget = onAbort(signal, () => assert.fail('it was taken back'));
    assert.equal(listeners(signal), 1);
    forget();
    assert.equal(listeners(signal), 0);
  });
});

describe('unlessAborted', () => {
  it('settles as the work does, and leaves nothing behind', async () => {
    const { signal } = new AbortController();
    assert.equal(await unlessAborted(Promise.resolve(7), signal), 7);
    const failure = new Error('failed');
    await assert.rejects(unlessAborted(Promise.reject(failure), signal), failure);
    assert.equal(listeners(signal), 0);
  });

  it('rejects with the reason of the signal, and at once if that was aborted before', async () => {
    const abort = new AbortController();
    const never = new Promise<void>(() => {});
    const waiting = unlessAborted(never, abort.signal);
    const reason = new Error('stopped');
    abort.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(unlessAborted(never, abort.signal), reason);
  });

  it('has nobody miss what the work fails with afterwards', async () => {
    const abort = new AbortController();
    abort.abort(new Error('stopped'));
    let fail = (_: Error) => {};
    const work = new Promise<void>((_, reject) => (fail = reject));
    await assert.rejects(unlessAborted(work, abort.signal), /stopped/);
    fail(new Error('too late'));
    await new Promise((resolve) => setImmediate(resolve));
  });
});
