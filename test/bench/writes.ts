/**
 * Writes a second through the HTTP API with three managers: `POST /configs/create` by clients that
 * each wait for an answer before the next write, at the leader's socket and at a follower's.
 */
import { compare } from './support/compare.ts';
import { type Figure, quantile } from './support/report.ts';
import type { SwarmUnderTest } from './support/swarm.ts';

const SECONDS = Number(process.argv[2] ?? 3);
const CLIENTS = [1, 32, 128];
const DATA = Buffer.alloc(256, 'a').toString('base64');
const TARGETS: Record<string, string> = { 'leader 1': '≥ 500', 'leader 32': '≥ 2,000' };

let names = 0;

await compare({ title: 'Writes by the API, 3 managers', managers: 3, measure });

async function measure(swarm: SwarmUnderTest): Promise<Figure[]> {
  const [leader = '', follower = ''] = swarm.managers;
  const figures: Figure[] = [];
  await writesPerSecond(swarm, leader, 32); // Compiles the code.
  for (const [role, host] of Object.entries({ leader, follower })) {
    for (const clients of CLIENTS) {
      const { rate, p99 } = await writesPerSecond(swarm, host, clients);
      const target = TARGETS[`${role} ${clients}`];
      figures.push(
        {
          what: `${role}, ${clients} clients`,
          unit: 'writes/s',
          samples: [rate],
          better: 'higher',
          ...(target ? { target } : {}),
        },
        { what: `${role}, ${clients} clients, p99`, unit: 'ms', samples: [p99], better: 'lower' },
      );
    }
  }
  return figures;
}

async function writesPerSecond(
  swarm: SwarmUnderTest,
  host: string,
  clients: number,
): Promise<{ rate: number; p99: number }> {
  const api = swarm.api(host);
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + SECONDS * 1000;
  const client = async () => {
    for (let now = start; now < end; ) {
      await api.call('POST', '/configs/create', { Name: `config-${++names}`, Data: DATA });
      const done = performance.now();
      latencies.push(done - now);
      now = done;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const rate = latencies.length / ((performance.now() - start) / 1000);
  return { rate, p99: quantile(latencies, 0.99) };
}
