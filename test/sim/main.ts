import { parseArgs } from 'node:util';
import { type RunResult, runSimulation } from './run.ts';

const USAGE = `usage: npm run sim -- --seed S             one run, a line per event
       npm run sim -- --runs N [--start S]  many runs, a summary`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string' },
    start: { type: 'string', default: '1' },
    quiet: { type: 'boolean', default: false },
  },
});

if (values.seed !== undefined) await runOne(Number(values.seed), values.quiet);
else if (values.runs !== undefined) await runMany(Number(values.start), Number(values.runs));
else {
  console.error(USAGE);
  process.exitCode = 2;
}

async function runOne(seed: number, quiet: boolean): Promise<void> {
  const result = await runSimulation(quiet ? { seed } : { seed, print: console.log });
  console.log(describe(result));
  if (result.failure) {
    console.log(result.failure.stack);
    process.exitCode = 1;
  }
}

async function runMany(start: number, runs: number): Promise<void> {
  const began = performance.now();
  const failed: RunResult[] = [];
  const sum = { events: 0, entries: 0, elections: 0, operations: 0 };
  for (let seed = start; seed < start + runs; seed++) {
    const result = await runSimulation({ seed });
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += result[key];
    if (!result.failure) continue;
    failed.push(result);
    console.log(describe(result));
  }
  const seconds = (performance.now() - began) / 1_000;
  const perMinute = Math.round((runs / seconds) * 60);
  const counts = Object.entries(sum).map(([key, count]) => `${count} ${key}`);
  console.log(
    `${runs} runs in ${seconds.toFixed(1)} s (${perMinute} a minute): ${counts.join(', ')}`,
  );
  console.log(`failed: ${failed.map(({ seed }) => seed).join(' ') || 'none'}`);
  if (failed.length > 0) process.exitCode = 1;
}

function describe(result: RunResult): string {
  const { seed, hash, events, virtualMs, entries, elections, operations, failure } = result;
  const counts = `${events} events, ${entries} entries, ${elections} elections, ${operations} operations`;
  const verdict = failure ? `FAILED: ${failure.message}` : 'ok';
  return `seed ${seed}  ${hash}  ${(virtualMs / 1_000).toFixed(1)} s  ${counts}  ${verdict}`;
}
