import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSimulation } from '../run.ts';
import { type Failure, runBatch } from './batch.ts';

const init = { start: 1, jobs: 2, faults: 'drawn', minutes: 10 } as const;

test('a batch deals its seeds out to processes, and adds up what they did', async () => {
  const failures: Failure[] = [];
  const events = {
    failed: (failure: Failure) => failures.push(failure),
    progress: () => undefined,
  };
  const summary = await runBatch({ ...init, runs: 2 }, events);
  const alone = [await runSimulation({ seed: 1 }), await runSimulation({ seed: 2 })];
  assert.equal(summary.runs, 2);
  assert.equal(
    summary.events,
    alone.reduce((sum, { events }) => sum + events, 0),
  );
  assert.deepEqual(failures, []);
});

test('a seed that brings its process down has failed, and the others run', async () => {
  const failures: Failure[] = [];
  const events = {
    failed: (failure: Failure) => failures.push(failure),
    progress: () => undefined,
  };
  const runner = new URL(`./broken-runner${import.meta.url.slice(-3)}`, import.meta.url);
  const summary = await runBatch({ ...init, runs: 3, runner }, events);
  assert.equal(summary.runs, 3);
  assert.deepEqual(failures, [{ seed: 2, message: 'its process ended with 7' }]);
  assert.deepEqual(summary.failures, failures);
});

test('no run is begun when time is up', async () => {
  const events = { failed: () => undefined, progress: () => undefined };
  const summary = await runBatch({ ...init, runs: 3, minutes: 0 }, events);
  assert.equal(summary.runs, 0);
});
