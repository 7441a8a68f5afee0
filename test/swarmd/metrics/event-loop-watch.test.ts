import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import {
  EventLoopWatch,
  judge,
  type LoopPeriod,
} from '../../../swarmd/metrics/event-loop-watch.ts';
import type { LoopReading } from '../../../swarmd/metrics/loop-probe.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const reading = (longestMs: number, gcMs = 0, waitedMs = 0): LoopReading => ({
  longestMs,
  gcPauses: [{ kind: 'major', ms: gcMs }],
  waitedMs,
});

test('a stretch has one cause: the collector, others at the processor, or our own work', () => {
  const cause = (each: LoopReading) => judge(each).cause;
  assert.equal(cause(reading(50, 50)), undefined);
  assert.equal(cause(reading(51)), 'work');
  assert.equal(cause(reading(90, 45)), 'gc');
  assert.equal(cause(reading(120, 45)), 'work');
  assert.equal(cause(reading(120, 0, 80)), 'processor');
  assert.equal(judge(reading(120, 0, 80)).workMs, 40);
  assert.equal(judge(reading(10, 0, 80)).workMs, 0);
});

function setUp(readings: LoopReading[]) {
  const clock = new VirtualClock();
  const lines: Record<string, unknown>[] = [];
  const periods: LoopPeriod[] = [];
  const probe = { start() {}, stop() {}, read: () => readings.shift() ?? reading(0) };
  const logger = pino(
    { level: 'debug' },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  );
  const onPeriod = (period: LoopPeriod) => periods.push(period);
  const watch = new EventLoopWatch({ clock, logger, probe, onPeriod });
  return { clock, lines, periods, watch };
}

test('a stretch is told with the works of its tenth of a second, and no others', async () => {
  const { clock, lines, periods, watch } = setUp([reading(0), reading(8), reading(70)]);
  await watch.start();
  watch.note('a work of before');
  await clock.advance(100);
  watch.note('store: decode a snapshot');
  watch.note('store: decode a snapshot');
  watch.note('GET /tasks');
  await clock.advance(100);
  assert.deepEqual(
    periods.map(({ longestMs }) => longestMs),
    [8, 70],
  );
  assert.equal(lines.length, 1);
  assert.equal(lines[0]?.['ms'], 70);
  assert.deepEqual(lines[0]?.['works'], ['store: decode a snapshot', 'GET /tasks']);
  await watch.stop();
  await clock.advance(1000);
  assert.equal(periods.length, 2);
});

test('a bad time does not fill the log, and what others do at the processor is no warning', async () => {
  const bad = Array.from({ length: 25 }, () => reading(70));
  const { clock, lines, periods, watch } = setUp([reading(0), ...bad, reading(80, 0, 60)]);
  await watch.start();
  await clock.advance(2500);
  assert.equal(periods.filter(({ cause }) => cause).length, 25);
  assert.equal(lines.length, 3);
  assert.ok(lines.every(({ level }) => level === 40));
  await watch.stop();
  await clock.advance(1000);
});
