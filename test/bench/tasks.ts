/** From `service create` to the last task running: 10 tasks on 3 hosts, then 30 more. */
import { compare } from './support/compare.ts';
import type { Figure } from './support/report.ts';
import { runningTasks, type SwarmUnderTest, serviceBody, timeUntil } from './support/swarm.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
const FIRST = 10;
const ALL = 40;
const NETWORK = 'bench';

await compare({ title: 'Tasks to running, 3 hosts', managers: 1, measure });

async function measure(swarm: SwarmUnderTest): Promise<Figure[]> {
  const api = swarm.api(swarm.hosts[0] as string);
  await api.call('POST', '/networks/create', { Name: NETWORK, Driver: 'overlay' });
  return [...(await measureIn(swarm, undefined)), ...(await measureIn(swarm, NETWORK))];
}

async function measureIn(swarm: SwarmUnderTest, network: string | undefined): Promise<Figure[]> {
  const where = network ? ', on an overlay' : '';
  await round(swarm, 'warm-up', network); // The image is pulled, the code compiled.
  const rounds: { first: number; more: number }[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await round(swarm, `round${i}`, network));
  return [
    {
      what: `0 to ${FIRST} tasks${where}`,
      unit: 'ms',
      samples: rounds.map(({ first }) => first),
      better: 'lower',
      target: '≤ 1,200',
    },
    {
      what: `${FIRST} to ${ALL} tasks${where}`,
      unit: 'ms',
      samples: rounds.map(({ more }) => more),
      better: 'lower',
      target: '≤ 3,000',
    },
  ];
}

async function round(
  swarm: SwarmUnderTest,
  name: string,
  network: string | undefined,
): Promise<{ first: number; more: number }> {
  const api = swarm.api(swarm.hosts[0] as string);
  const command = ['sleep', '1d'];
  const body = (replicas: number) => serviceBody(swarm.image, { name, replicas, command, network });
  const running = (count: number) =>
    timeUntil(`${count} tasks run`, async () => (await runningTasks(api, name)).length === count);

  const start = performance.now();
  const { ID } = await api.call<{ ID: string }>('POST', '/services/create', body(FIRST));
  await running(FIRST);
  const first = performance.now() - start;

  const service = await api.call<{ Version: { Index: number } }>('GET', `/services/${ID}`);
  const restart = performance.now();
  await api.call('POST', `/services/${ID}/update?version=${service.Version.Index}`, body(ALL));
  await running(ALL);
  const more = performance.now() - restart;

  await api.call('DELETE', `/services/${ID}`);
  await timeUntil('all containers are gone', () => noContainers(swarm));
  return { first, more };
}

async function noContainers(swarm: SwarmUnderTest): Promise<boolean> {
  const lists = await Promise.all(
    swarm.hosts.map((host) => swarm.api(host).call<unknown[]>('GET', '/containers/json')),
  );
  return lists.every((list) => list.length === 0);
}
