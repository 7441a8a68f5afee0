import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { silentLogger } from '../../../common/logger.ts';
import type { ContainerEntry } from '../../../worker/engine/container.ts';
import { HealthChecks, type HealthChecksComponents } from '../../../worker/engine/health.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const INTERVAL_MS = 1_000;

test('probes leave nothing behind, however long a container runs', async () => {
  const clock = new VirtualClock();
  const signals: AbortSignal[] = [];
  const entry = {
    id: 'c',
    active: true,
    record: {
      config: { Healthcheck: { Test: ['CMD', 'true'], Interval: INTERVAL_MS * 1e6 } },
      state: { startedAt: clock.now(), health: 'healthy' },
      failingStreak: 0,
      healthLog: [],
      taskEndpoints: [],
    },
  } as unknown as ContainerEntry;
  const parts = {
    clock,
    logger: silentLogger,
    table: { update: async () => undefined },
    events: { container: () => undefined },
    execs: {
      probe: async (_: unknown, __: unknown, { signal }: { signal: AbortSignal }) => {
        signals.push(signal);
        return { exitCode: 0, output: '', timedOut: false };
      },
    },
  } as unknown as HealthChecksComponents;
  const checks = new HealthChecks(parts);
  checks.start(entry);
  for (let i = 0; i < 30; i++) await clock.advance(INTERVAL_MS);
  assert.ok(signals.length >= 25, `${signals.length} probes`);
  assert.ok(getEventListeners(signals[0]!, 'abort').length <= 1, 'listeners pile up');
  checks.stop(entry);
  assert.equal(clock.pending, 0, 'a timer is left');
});
