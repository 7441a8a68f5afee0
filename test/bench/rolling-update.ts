/**
 * Requests that fail while a service is updated: clients outside the swarm ask the published port on
 * every host, by a new connection each time, while all tasks are replaced one after the other.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { compare } from './support/compare.ts';
import { type Failure, Load } from './support/load.ts';
import type { Figure } from './support/report.ts';
import { runningTasks, type SwarmUnderTest, timeUntil } from './support/swarm.ts';

const ROUNDS = Number(process.argv[2] ?? 2);
const REPLICAS = 4;
const CLIENTS = 8;
const PORT = 8080;
const QUIET_MS = 3_000;
const DEADLINE_MS = 180_000;
const SERVER = 'mkdir /tmp/w; echo ok >/tmp/w/index.html; exec httpd -f -p 80 -h /tmp/w';
const COMMAND = ['sh', '-c', SERVER];
const SECOND = 1_000_000_000;
/** A task that runs does not yet listen. */
const HEALTHCHECK = {
  Test: ['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1/'],
  Interval: SECOND / 2,
  Timeout: 10 * SECOND,
  Retries: 20,
};

await compare({
  title: `Rolling update of ${REPLICAS} tasks under load, ${CLIENTS} clients`,
  managers: 1,
  measure,
  peerCannot: existsSync('/proc/net/ip_vs')
    ? undefined
    : 'no peer: it balances with IPVS, which this kernel lacks',
});

interface Service {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly UpdateStatus?: { readonly State: string };
}

type Order = 'stop-first' | 'start-first';

async function measure(swarm: SwarmUnderTest): Promise<Figure[]> {
  const api = swarm.api(swarm.hosts[0] as string);
  const created = await api.call<Service>('POST', '/services/create', body(swarm, 'stop-first', 0));
  const running = async () => (await runningTasks(api, created.ID)).length === REPLICAS;
  await timeUntil('the tasks run', running);
  await sleep(QUIET_MS);
  const figures: Figure[] = [];
  for (const order of ['stop-first', 'start-first'] as const) {
    const failed: number[] = [];
    const rates: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const report = await round(swarm, created.ID, order);
      failed.push(report.failures.length);
      for (const failure of report.failures) console.log(`${order}, round ${i}: ${show(failure)}`);
      rates.push(report.rate);
    }
    figures.push(
      { what: `failed, ${order}`, unit: 'requests', samples: failed, better: 'lower', target: '0' },
      { what: `answered, ${order}`, unit: 'requests/s', samples: rates, better: 'higher' },
    );
  }
  return figures;
}

async function round(swarm: SwarmUnderTest, id: string, order: Order) {
  const targets = swarm.hosts.map((host) => `${swarm.address(host)}:${PORT}`);
  const start = performance.now();
  const load = Load.start(swarm.outside, CLIENTS, targets);
  const updated = update(swarm, id, order);
  const report = await updated.then(
    () => load.stop(),
    async (error) => {
      await load.stop();
      throw error;
    },
  );
  return { ...report, rate: report.answered / ((performance.now() - start) / 1000) };
}

async function update(swarm: SwarmUnderTest, id: string, order: Order): Promise<void> {
  const api = swarm.api(swarm.hosts[0] as string);
  const inspect = () => api.call<Service>('GET', `/services/${id}`);
  await sleep(QUIET_MS);
  const { Version } = await inspect();
  const next = body(swarm, order, Version.Index);
  const old = new Set((await runningTasks(api, id)).map(({ ID }) => ID));
  await api.call('POST', `/services/${id}/update?version=${Version.Index}`, next);
  const completed = async () => {
    const running = (await runningTasks(api, id)).filter(({ ID }) => !old.has(ID));
    return running.length === REPLICAS && (await inspect()).UpdateStatus?.State === 'completed';
  };
  await timeUntil('the update is complete', completed, { pollMs: 100, deadlineMs: DEADLINE_MS });
  await sleep(QUIET_MS);
}

function show({ target, reason, begun, ended }: Failure): string {
  return `${new Date(begun).toISOString()} ${target}: ${reason} after ${ended - begun} ms`;
}

function body(swarm: SwarmUnderTest, Order: Order, ForceUpdate: number): Record<string, unknown> {
  return {
    Name: 'web',
    TaskTemplate: {
      ContainerSpec: {
        Image: swarm.image,
        Command: COMMAND,
        Healthcheck: HEALTHCHECK,
        StopGracePeriod: SECOND,
      },
      ForceUpdate,
    },
    Mode: { Replicated: { Replicas: REPLICAS } },
    UpdateConfig: { Parallelism: 1, Order, Monitor: SECOND, FailureAction: 'pause' },
    EndpointSpec: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: PORT }] },
  };
}
