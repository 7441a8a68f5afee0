/**
 * The daemon of a worker is killed and started again: how long until its API answers, and how many
 * of its containers went on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { compare } from './support/compare.ts';
import { findProcesses, startedAt } from './support/processes.ts';
import type { Figure } from './support/report.ts';
import { runningTasks, type SwarmUnderTest, startService, timeUntil } from './support/swarm.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
const TASKS = 5;
/** Told from every other `sleep` on this machine. */
const COMMAND = ['sleep', '31536003'];
/** How long containers are watched after the API answers. */
const WATCH_MS = 5_000;

await compare({
  title: `Daemon of a worker killed and started, ${TASKS} tasks on it`,
  managers: 1,
  measure,
});

async function measure(swarm: SwarmUnderTest): Promise<Figure[]> {
  const worker = swarm.hosts[1] as string;
  const hostname = swarm.hostname(worker);
  const id = await startService(swarm, {
    name: 'stays',
    replicas: TASKS,
    command: COMMAND,
    hostname,
  });
  const answered: number[] = [];
  const survived: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const before = containers();
    answered.push(await killAndRestart(swarm, worker));
    await sleep(WATCH_MS);
    const after = new Set(containers());
    survived.push(before.filter((pid) => after.has(pid)).length);
    await timeUntil('all tasks run again', async () => {
      const api = swarm.api(swarm.hosts[0] as string);
      return (await runningTasks(api, id)).length === TASKS && containers().length === TASKS;
    });
  }
  return [
    {
      what: 'process start to first answer',
      unit: 'ms',
      samples: answered,
      better: 'lower',
      target: '≤ 1,500',
    },
    {
      what: 'containers that went on',
      unit: `of ${TASKS}`,
      samples: survived,
      better: 'higher',
      target: `${TASKS}`,
    },
  ];
}

function containers(): number[] {
  return findProcesses((args) => args.join(' ') === COMMAND.join(' '));
}

async function killAndRestart(swarm: SwarmUnderTest, host: string): Promise<number> {
  const old = swarm.daemonPid(host);
  process.kill(old, 'SIGKILL');
  await timeUntil('the daemon is gone', async () => !(await answers(swarm, host)));
  const restarted = swarm.restart(host);
  await timeUntil('the API answers', () => answers(swarm, host), { pollMs: 2 });
  const now = Date.now();
  await restarted;
  return now - startedAt(swarm.daemonPid(host));
}

async function answers(swarm: SwarmUnderTest, host: string): Promise<boolean> {
  const answer = swarm.api(host).send('GET', '/_ping', { timeoutMs: 500 });
  return answer.then(({ status }) => status === 200).catch(() => false);
}
