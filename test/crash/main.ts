import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freeAddr } from '../support/loopback.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { Catalogue } from './catalogue.ts';
import { GroupLives } from './group-life.ts';
import { type Life, ManagerLives } from './manager-life.ts';

const USAGE = `usage: npm run crash -- --points N [--seed S] [--only single|group] [--quiet]
Kills managers by SIGKILL at N points: at a chosen disk operation, or at a random time; of some it then
takes what was not synced. Half of them are alone in their cluster, half are one of three. A line per
point; ends with 1 when something acknowledged is gone, or something is there that nobody asked for.`;
/** A new cluster after so many, since the catalogue of points and the first start belong to it, too. */
const POINTS_PER_CLUSTER = 60;

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
});

const points = Number(values.points);
if (!(points > 0) || !['single', 'group', undefined].includes(values.only)) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  const half = Math.ceil(points / 2);
  const single = values.only === 'single' ? points : values.only === 'group' ? 0 : half;
  try {
    await run('single', single);
    await run('group', points - single);
  } catch (error) {
    console.log(`FAILED: ${(error as Error).stack}`);
    process.exitCode = 1;
  }
}

async function run(kind: 'single' | 'group', wanted: number): Promise<void> {
  const began = performance.now();
  const catalogue = new Catalogue();
  let killed = 0;
  let acknowledged = 0;
  for (let round = 0; killed < wanted; round++) {
    const random = seededRandom(Number(values.seed) * 1_000 + round);
    const dir = await mkdtemp(join(tmpdir(), `crash-${kind}-`));
    const components = { random, catalogue };
    const init = { dir: join(dir, 'node'), addr: await freeAddr() };
    const lives =
      kind === 'single'
        ? new ManagerLives(components, init)
        : await GroupLives.create(components, init);
    try {
      const until = Math.min(wanted, killed + POINTS_PER_CLUSTER);
      while (killed < until) {
        const life = await lives.next();
        if (life.killed) killed++;
        print(kind, killed, life);
      }
      await lives.last();
      acknowledged += lives.acknowledged;
    } catch (error) {
      console.log(`the directory is kept: ${dir}`);
      throw error;
    } finally {
      await lives.stop();
    }
    await rm(dir, { recursive: true });
  }
  if (wanted === 0) return;
  const seconds = ((performance.now() - began) / 1_000).toFixed(0);
  console.log(
    `${kind}: ${killed} kills in ${seconds} s, ${acknowledged} entries acknowledged and there`,
  );
}

function print(kind: string, n: number, life: Life): void {
  if (!values.quiet) console.log(`${kind} ${life.killed ? n : '-'}  ${life.end}`);
}
