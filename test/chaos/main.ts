/**
 * `npm run chaos -- --managers 3|5 [--rounds 50] [--seed S]`: a lab of real processes, in which managers
 * are killed, frozen and cut off while clients of the Docker Engine API write and read. Prints a line per
 * round and the verdict; exit code 1 when anything that was promised did not hold.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../support/seeded-random.ts';
import { type ChaosResult, runChaos } from './chaos.ts';
import { medianOf } from './gaps.ts';
import { Lab, noLab, script } from './lab.ts';

const USAGE = 'usage: npm run chaos -- [--managers 3] [--rounds 50] [--seed 1]';

const SHOWN_MAX = 20;

const { values } = parseArgs({
  options: {
    managers: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
  },
});
const [managers, rounds, seed] = [values.managers, values.rounds, values.seed].map(Number);

if (noLab) fail(noLab, 2);
else if (!isNatural(managers) || !isNatural(rounds) || !isNatural(seed) || managers < 3) {
  fail(`${USAGE}; at least three managers, or none of them could be spared`, 2);
} else await main(managers, rounds, seed);

async function main(managers: number, rounds: number, seed: number): Promise<void> {
  const began = performance.now();
  const down = () => script('down');
  const interrupted = () => void down().finally(() => process.exit(130));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  let lab: Lab | undefined;
  try {
    lab = await Lab.up({ managers, workers: 0 });
    const components = { lab, random: seededRandom(seed), print: console.log };
    const result = await runChaos(components, { rounds });
    console.log(`\n${summary(managers, seed, result)}`);
    const took = ((performance.now() - began) / 1_000).toFixed(0);
    console.log(`took ${took} s, load ${loadavg()[0]?.toFixed(1)}`);
    if (result.violations.length > 0) {
      process.exitCode = 1;
      await keepLogs(lab, seed);
    }
  } catch (error) {
    if (lab) await keepLogs(lab, seed);
    throw error;
  } finally {
    await down();
  }
}

/** What went wrong can be looked for in them when the lab is gone. */
async function keepLogs(lab: Lab, seed: number): Promise<void> {
  const dir = join(tmpdir(), `chaos-${lab.hosts.length}-${seed}-logs`);
  await mkdir(dir, { recursive: true });
  for (const host of lab.hosts) {
    await writeFile(join(dir, `${host}.log`), await lab.verb('logs', host));
  }
  console.log(`the logs of the daemons are in ${dir}`);
}

function summary(managers: number, seed: number, result: ChaosResult): string {
  const { rounds, counts, errors, violations } = result;
  const single = rounds.filter(({ victims }) => victims.length === 1);
  const ofLeader = single.filter(({ victims }) => victims[0]!.led);
  return [
    `${managers} managers, seed ${seed}, ${rounds.length} rounds`,
    `without a leader, in rounds with one victim: ${worstAndMedian(single)}`,
    `  of these, the leader was the victim:       ${worstAndMedian(ofLeader)}`,
    `operations: ${counts.ok} ok, ${counts.never} failed for certain, ${counts.unknown} unknown`,
    'errors that clients got, at the managers that were struck and at the others:',
    ...errors,
    violations.length === 0
      ? 'verdict: ok (linearizable, nothing acknowledged is lost, all managers show the same)'
      : `verdict: VIOLATED, ${violations.length} times\n${violations.slice(0, SHOWN_MAX).join('\n')}`,
  ].join('\n');
}

function worstAndMedian(rounds: ChaosResult['rounds']): string {
  if (rounds.length === 0) return 'none';
  const outages = rounds.map(({ outageMs }) => outageMs / 1_000);
  const worst = Math.max(...outages).toFixed(2);
  return `worst ${worst} s, median ${medianOf(outages).toFixed(2)} s (${outages.length} rounds; target: 2 and 1.2)`;
}

function isNatural(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value > 0;
}

function fail(message: string, code: number): void {
  console.error(message);
  process.exitCode = code;
}
