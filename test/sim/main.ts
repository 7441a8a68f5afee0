import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runBatch, type Summary } from './batch/batch.ts';
import type { FaultChoice } from './cluster/faults.ts';
import { type RunResult, runSimulation } from './run.ts';

const USAGE = `usage: npm run sim -- --seed S [--quiet]     one run, a line per event
       npm run sim -- --runs N [--start S]    many runs, a summary
                      [--jobs J]              processes; one for each processor
                      [--minutes M]           begins no run after so long
  --faults drawn|all   each run draws which kinds of faults it has, or has all of them`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string' },
    start: { type: 'string', default: '1' },
    jobs: { type: 'string', default: `${availableParallelism()}` },
    minutes: { type: 'string', default: 'Infinity' },
    faults: { type: 'string', default: 'drawn' },
    quiet: { type: 'boolean', default: false },
  },
});

const counts = [values.seed, values.runs, values.start, values.jobs, values.minutes];
const areNumbers = counts.every((text) => text === undefined || Number(text) >= 0);
const isTask = values.seed !== undefined || values.runs !== undefined;
if (!areNumbers || !isTask || !['drawn', 'all'].includes(values.faults)) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  const faults = values.faults as FaultChoice;
  if (values.seed !== undefined) await runOne(Number(values.seed), faults);
  else await runMany(faults);
}

async function runOne(seed: number, faults: FaultChoice): Promise<void> {
  const print = values.quiet ? {} : { print: console.log };
  const result = await runSimulation({ seed, faults, ...print });
  console.log(describe(result));
  if (result.failure) {
    console.log(result.failure.stack);
    process.exitCode = 1;
  }
}

async function runMany(faults: FaultChoice): Promise<void> {
  const [start, runs, jobs, minutes] = [values.start, values.runs, values.jobs, values.minutes].map(
    Number,
  ) as [number, number, number, number];
  const repeat = (seed: number) => `npm run sim -- --seed ${seed} --faults ${faults}`;
  const summary = await runBatch(
    { start, runs, jobs, minutes, faults },
    {
      failed: ({ seed, message }) => console.log(`FAILED: ${repeat(seed)}\n  ${message}`),
      progress: (soFar) => console.log(`  ${describeSummary(soFar)}`),
    },
  );
  console.log(`seeds ${start} to ${start + summary.runs - 1}, faults: ${faults}`);
  if (summary.runs < runs) console.log(`ended after ${minutes} minutes, of ${runs} runs wanted`);
  console.log(describeSummary(summary));
  for (const { seed } of summary.failures) console.log(repeat(seed));
  if (summary.failures.length > 0) process.exitCode = 1;
}

function describeSummary(summary: Summary): string {
  const { runs, failures, seconds, rss, virtualMs } = summary;
  const perMinute = Math.round((runs / seconds) * 60);
  const speed = `${runs} runs in ${seconds.toFixed(0)} s (${perMinute} a minute)`;
  const { events, entries, elections, operations } = summary;
  const done = `${(virtualMs / 3_600_000).toFixed(1)} h of the clusters' time, ${events} events, ${entries} entries, ${elections} elections, ${operations} operations`;
  return `${speed}, ${failures.length} failed; ${done}; ${Math.round(rss / 2 ** 20)} MiB`;
}

function describe(result: RunResult): string {
  const { seed, hash, events, virtualMs, entries, elections, operations, failure } = result;
  const counts = `${events} events, ${entries} entries, ${elections} elections, ${operations} operations`;
  const verdict = failure ? `FAILED: ${failure.message}` : 'ok';
  return `seed ${seed}  ${hash}  ${(virtualMs / 1_000).toFixed(1)} s  ${counts}  ${verdict}`;
}
