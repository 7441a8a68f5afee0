/**
 * A hundred thousand objects: taking a snapshot, restarting a manager, bringing a new manager up to
 * them, a change of the leader, and listing all tasks; each with its time, the longest time for which the
 * event loop served nobody, and memory. In a lab of `cluster.sh`: real daemons, disks and gRPC.
 *
 *   npm run bench -- objects [-- OBJECTS]
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Api } from './support/api.ts';
import { LAB_NAME, Lab } from './support/lab.ts';
import { LoopFigures } from './support/loop-figures.ts';
import { findProcess, startedAt } from './support/processes.ts';
import { type Figure, print } from './support/report.ts';
import { timeUntil } from './support/swarm.ts';

const OBJECTS = Number(process.argv[2] ?? 100_000);
const FILL = fileURLToPath(new URL('./support/fill.ts', import.meta.url));
/** For how long a new leader is watched, after it took over. */
const WATCH_MS = 10_000;
const SECONDS_MAX = '≤ 10';
const FIRST = 'manager';
const HOSTS = `/var/tmp/${LAB_NAME}-lab/hosts`;

const lab = await Lab.up({ managers: 1, workers: 0 });
const apis = new Map<string, Api>();
const figures: Figure[] = [];
const stop = () => {
  lab.down().finally(() => process.exit(130));
};
process.once('SIGINT', stop);
process.once('SIGTERM', stop);
try {
  await measure();
  print(`${OBJECTS.toLocaleString('en')} objects`, [{ name: 'swarm-ts', figures }]);
} finally {
  for (const each of apis.values()) each.close();
  await lab.down();
}

async function measure(): Promise<void> {
  await kill(FIRST);
  await fill();
  await restart('restart, all of it in the log');
  await snapshot();
  await restart('restart, from the snapshot');
  await listTasks();
  const second = await addManager('second manager');
  const third = await addManager('third manager');
  await changeLeader([second, third]);
}

async function fill(): Promise<void> {
  const args = ['--import', 'tsx', FILL, `${HOSTS}/${FIRST}/state`, `${OBJECTS}`];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { ms, objects, entries } = JSON.parse(stdout) as {
    ms: number;
    objects: Record<string, number>;
    entries: number;
  };
  const mix = Object.entries(objects).map(([kind, count]) => `${kind} ${count}`);
  console.log(`filled in ${(ms / 1000).toFixed(1)} s by ${entries} entries: ${mix.join(', ')}`);
}

async function restart(what: string): Promise<void> {
  if (await answers(FIRST)) await kill(FIRST);
  const restarted = lab.verb('restart', FIRST);
  await timeUntil('the manager serves', () => answers(FIRST, '/nodes'), { pollMs: 5 });
  const seconds = (Date.now() - startedAt(pid(FIRST))) / 1000;
  await restarted;
  record(`${what}: process start to serving reads`, 's', seconds, SECONDS_MAX);
  const loop = await LoopFigures.since(api(FIRST), pid(FIRST));
  // The leader's parts look at everything once.
  await sleep(WATCH_MS);
  await recordLoop(what, loop, { fromStart: true });
}

async function snapshot(): Promise<void> {
  const what = 'snapshot';
  // The one that was due after the restart is not the one to be measured.
  const first = LoopFigures.since(api(FIRST), pid(FIRST));
  const isTaken = async () => (await first.sample('swarm_raft_snapshot_index')) > 0;
  await timeUntil('the first snapshot is taken', isTaken, { pollMs: 100 });
  const loop = await LoopFigures.begin(api(FIRST), pid(FIRST));
  const before = await loop.sample('swarm_raft_snapshot_index');
  let written = 0;
  // The thousandth write sets it off; the others go on meanwhile.
  await timeUntil('another snapshot is taken', async () => {
    const writes = Array.from({ length: 100 }, () => createConfig(`more-${written++}`));
    await Promise.all(writes);
    return (await loop.sample('swarm_raft_snapshot_index')) !== before;
  });
  const { ms, bytes } = await lastSnapshot(FIRST);
  record(`${what}: beside writes`, 's', ms / 1000, SECONDS_MAX);
  record(`${what}: size`, 'MiB', bytes / 2 ** 20);
  await recordLoop(what, loop);
}

function createConfig(name: string): Promise<unknown> {
  const body = { Name: name, Data: Buffer.from(name).toString('base64') };
  return api(FIRST).call('POST', '/configs/create', body);
}

async function lastSnapshot(host: string): Promise<{ ms: number; bytes: number }> {
  const lines = (await lab.verb('logs', host)).split('\n');
  const line = lines.filter((each) => each.includes('"snapshot taken"')).at(-1);
  if (!line) throw new Error(`${host} does not say that it took a snapshot`);
  return JSON.parse(line) as { ms: number; bytes: number };
}

async function listTasks(): Promise<void> {
  const loop = await LoopFigures.begin(api(FIRST), pid(FIRST));
  const start = performance.now();
  const { bytes } = await api(FIRST).drain('/tasks');
  record('GET /tasks', 's', (performance.now() - start) / 1000);
  record('GET /tasks: size', 'MiB', bytes / 2 ** 20);
  await recordLoop('GET /tasks', loop);
}

/** Resolves with its name. */
async function addManager(what: string): Promise<string> {
  const host = (await lab.verb('add', 'manager', '--bare')).split('\n').at(-1) as string;
  const address = (await readFile(`${HOSTS}/${host}/address`, 'utf8')).trim();
  const leader = await LoopFigures.begin(api(FIRST), pid(FIRST));
  const joiner = await LoopFigures.begin(api(host), pid(host));
  const objects = await leader.sample('swarm_store_objects{kind="task"}');
  const token = await lab.swarmctl(FIRST, 'join-token', '-q', 'manager');
  const voters = 'swarm_raft_members{role="voter",reachable="true"}';
  const members = await leader.sample(voters);
  const remote = `${lab.address(FIRST)}:2377`;
  const joining = lab.swarmctl(host, 'join', '--token', token, '--advertise-addr', address, remote);
  joining.catch(() => undefined);
  const ms = await timeUntil(
    'the new manager votes and has all objects',
    async () => {
      const isVoter = (await leader.sample(voters)) === members + 1;
      const applied = await joiner.sample('swarm_store_objects{kind="task"}');
      return isVoter && applied === objects;
    },
    { deadlineMs: 300_000 },
  );
  // It says no more than that it is taking long; what counts was just seen.
  await joining.catch((error) =>
    console.log(`${host}: ${(error as Error).message.split('\n')[1]}`),
  );
  record(`${what}: join to voter with all objects`, 's', ms / 1000, SECONDS_MAX);
  await recordLoop(`${what}: the leader`, leader);
  await recordLoop(`${what}: the new one`, joiner);
  return host;
}

async function changeLeader(others: readonly string[]): Promise<void> {
  const loops = await Promise.all(others.map((host) => LoopFigures.begin(api(host), pid(host))));
  const start = performance.now();
  await kill(FIRST);
  const write = (host: string) => {
    const body = { Name: `after-${host}-${Math.random()}`, Data: 'bmV3' };
    return api(host).send('POST', '/configs/create', { body, timeoutMs: 1_000 });
  };
  await timeUntil('a write is accepted', async () => {
    const answers = await Promise.allSettled(others.map(write));
    return answers.some((each) => each.status === 'fulfilled' && each.value.status === 201);
  });
  record('leader killed: to the next write', 's', (performance.now() - start) / 1000, '≤ 2');
  await sleep(WATCH_MS);
  for (const loop of loops) {
    const leads = (await loop.sample('swarm_raft_is_leader')) === 1;
    await recordLoop(`leader killed: ${leads ? 'the new leader' : 'the follower'}`, loop);
  }
}

async function recordLoop(
  what: string,
  loop: LoopFigures,
  { fromStart = false } = {},
): Promise<void> {
  const report = await loop.end();
  const { longestMs, workMs, gcMs, rssBefore, rssAfter, rssPeak } = report;
  const stretch = fromStart ? 'longest stretch since the process began' : 'longest stretch';
  record(`${what}: processor time`, 's', report.cpuSeconds);
  record(`${what}: ${stretch}`, 'ms', workMs, '≤ 50');
  record(`${what}: the same with waits for a processor and the collector`, 'ms', longestMs);
  record(`${what}: longest pause of the collector`, 'ms', gcMs);
  if (!fromStart) record(`${what}: RSS before`, 'MiB', rssBefore);
  record(`${what}: RSS after`, 'MiB', rssAfter);
  record(`${what}: RSS at its highest`, 'MiB', rssPeak);
}

function record(what: string, unit: string, value: number, target?: string): void {
  console.log(`${what}: ${value.toPrecision(3)} ${unit}`);
  figures.push({ what, unit, samples: [value], better: 'lower', ...(target ? { target } : {}) });
}

function api(host: string): Api {
  const known = apis.get(host) ?? new Api(lab.socket(host).replace('unix://', ''));
  apis.set(host, known);
  return known;
}

function pid(host: string): number {
  const cgroup = `/${LAB_NAME}-lab/${host}`;
  return findProcess(`swarmd on ${host}`, ([program = '', ...args]) => {
    return program.endsWith('node') && args.includes(cgroup) && args.includes('--state-dir');
  });
}

async function kill(host: string): Promise<void> {
  process.kill(pid(host), 'SIGKILL');
  await timeUntil('the daemon is gone', async () => !(await answers(host)), { pollMs: 2 });
}

function answers(host: string, path = '/_ping'): Promise<boolean> {
  const answer = api(host).send('GET', path, { timeoutMs: 1_000 });
  return answer.then(({ status }) => status === 200).catch(() => false);
}
