import { parseArgs } from 'node:util';
import { converges, image, Lab, noLab } from '../e2e/lab.ts';
import { damagesOf } from './state-damage/damages.ts';
import { type Outcome, Subject } from './state-damage/subject.ts';

const USAGE = `usage: npm run damage [-- --host manager|worker-1] [--files REGEXP] [--seed S] [--keep]
Starts a swarm in the lab (SWARM_LAB names it), and then the daemon of a host again and again, each
time with one file of its state directory cut short, with a bit flipped, or removed. Ends with 1 if
any start gave anything but what was there before, or an error that says what to do.`;

const { values } = parseArgs({
  options: {
    host: { type: 'string', multiple: true, default: ['manager', 'worker-1'] },
    files: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});

/** By file without numbers in its name, then by kind of damage: what came of it, and how often. */
const table = new Map<string, Map<string, Map<string, number>>>();
let cases = 0;
let wrong = 0;

if (values.help || noLab) {
  console.error(values.help ? USAGE : noLab);
  process.exitCode = 2;
} else {
  // A daemon that starts slowly is not to lose its tasks to another node.
  const initFlags = ['--dispatcher-heartbeat', '1m'];
  const lab = await Lab.up({ managers: 1, workers: 1, initFlags });
  try {
    await furnish(lab);
    for (const host of values.host) await walk(lab, host);
    print();
    process.exitCode = wrong > 0 ? 1 : 0;
  } finally {
    await lab.down();
  }
}

/** Something of every kind. */
async function furnish(lab: Lab): Promise<void> {
  const { manager } = lab;
  await lab.swarmctl(manager, 'network', 'create', '-d', 'overlay', 'net-1');
  const create = ['service', 'create', '--name', 'web', '--replicas', '4', '--network', 'net-1'];
  await lab.swarmctl(manager, ...create, '--publish', '8080:80', image('whoami'));
  for (const host of lab.hosts) {
    await lab.swarmctl(host, 'network', 'create', 'own');
    await lab.swarmctl(host, 'pull', image('busybox'));
    const run = ['run', '-d', '--name', 'alone', '--network', 'own', '-v', 'data:/data'];
    await lab.swarmctl(host, ...run, image('busybox'), 'sleep', '100000');
  }
  for (const host of lab.hosts) await converges(() => lab.http(host, 8080));
  // With a snapshot, entries behind it and entries after it.
  await lab.swarmctl(manager, 'swarm', 'update', '--snapshot-interval', '10');
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    await lab.swarmctl(manager, 'network', 'create', '-d', 'overlay', `more-${name}`);
    await lab.swarmctl(manager, 'service', 'update', '--label-add', `l=${name}`, '-d', 'web');
  }
}

async function walk(lab: Lab, host: string): Promise<void> {
  const subject = await Subject.take(lab, host);
  const role = subject.isManager ? 'manager' : 'worker';
  console.log(`${role} ${host}: ${subject.files.length} files`);
  await subject.control();
  const wanted = new RegExp(values.files);
  for (const file of subject.files.filter((name) => wanted.test(name))) {
    for (const damage of damagesOf(subject.sizeOf(file), Number(values.seed) + cases)) {
      const outcome = await subject.try(file, damage);
      note(role, file, damage.name, outcome);
      console.log(`${role}  ${file}  ${damage.what}: ${outcome.verdict}  ${outcome.text}`);
      // A node that is refused for long would be taken for lost by the others.
      if (outcome.verdict !== 'works') await subject.control();
    }
    await subject.control();
  }
  await lab.verb('restart', host);
}

function note(role: string, file: string, damage: string, { verdict }: Outcome): void {
  cases++;
  if (verdict === 'WRONG') wrong++;
  const name = `${role} ${file.replace(/\d{6}/, 'N')}`;
  const row = table.get(name) ?? new Map<string, Map<string, number>>();
  table.set(name, row);
  const cell = row.get(damage) ?? new Map<string, number>();
  row.set(damage, cell);
  cell.set(verdict, (cell.get(verdict) ?? 0) + 1);
}

function print(): void {
  console.log('\n| file | cut short | bits flipped | removed |\n|---|---|---|---|');
  for (const [file, row] of table) {
    const cells = ['cut', 'flip', 'removed'].map((damage) => {
      const verdicts = [...(row.get(damage) ?? [])];
      return verdicts.map(([verdict, n]) => `${verdict} ${n}`).join(', ') || '–';
    });
    console.log(`| ${[file, ...cells].join(' | ')} |`);
  }
  console.log(`\n${cases} starts with damage, ${wrong} wrong`);
}
