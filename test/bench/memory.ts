/** Memory of the daemons at rest, with one manager and two workers that run a task each. */
import { setTimeout as sleep } from 'node:timers/promises';
import { compare } from './support/compare.ts';
import { familyOf, memoryOf } from './support/processes.ts';
import type { Figure } from './support/report.ts';
import { type SwarmUnderTest, startService } from './support/swarm.ts';

const REST_MS = Number(process.argv[2] ?? 60) * 1000;

await compare({ title: 'Memory at rest', managers: 1, measure });

async function measure(swarm: SwarmUnderTest): Promise<Figure[]> {
  const command = ['sleep', '1d'];
  await startService(swarm, { name: 'rest', replicas: swarm.hosts.length, command });
  await sleep(REST_MS);
  const [manager = '', worker = ''] = swarm.hosts;
  return [
    ...daemon('manager', swarm.daemonPid(manager), '≤ 120 (RSS)'),
    ...daemon('worker', swarm.daemonPid(worker)),
  ];
}

function daemon(role: string, pid: number, target?: string): Figure[] {
  const { rss, pss } = memoryOf(pid);
  const children = familyOf(pid).filter((each) => each !== pid);
  const childrenPss = children.reduce((sum, child) => sum + memoryOf(child).pss, 0);
  const figure = (what: string, value: number) =>
    ({ what: `${role}, ${what}`, unit: 'MiB', samples: [value], better: 'lower' }) as const;
  return [
    { ...figure('daemon RSS', rss), ...(target ? { target } : {}) },
    figure('daemon PSS', pss),
    figure('its containerd PSS', childrenPss),
  ];
}
