/**
 * Writes a second with three managers by clients that each wait for an answer before the next write,
 * at the leader and at a follower: `POST /configs/create` at the managers' sockets. With ETCD=<path of
 * the program>, three members of etcd are measured in the same run, by `Put` of as many bytes.
 */
import { compare } from './support/compare.ts';
import { EtcdCluster, noEtcd, put } from './support/etcd.ts';
import { type Figure, type Measured, quantile } from './support/report.ts';
import type { SwarmUnderTest } from './support/swarm.ts';

type Write = () => Promise<unknown>;

const SECONDS = Number(process.argv[2] ?? 3);
const CLIENTS = [1, 32, 128];
const VALUE = Buffer.alloc(256, 'a');
const RATES: Record<string, string> = {
  'leader 1': '≥ 500',
  'leader 32': '≥ 2,000',
  'leader 128': '≥ 2,000',
};
const P99S: Record<string, string> = { 'leader 128': '≤ 150' };

let names = 0;

await compare({
  title: 'Writes by the API, 3 managers',
  managers: 3,
  measure: (swarm) => measureWrites(apiWriters(swarm)),
  others: noEtcd ? [] : [measureEtcd],
});
if (noEtcd) console.log(noEtcd);

function apiWriters({ api, managers }: SwarmUnderTest): Record<string, Write> {
  const [leader = '', follower = ''] = managers;
  const writer = (host: string) => () => {
    const body = { Name: `config-${++names}`, Data: VALUE.toString('base64') };
    return api(host).call('POST', '/configs/create', body);
  };
  return { leader: writer(leader), follower: writer(follower) };
}

async function measureEtcd(): Promise<Measured> {
  const cluster = await EtcdCluster.up();
  const writer = (role: 'leader' | 'follower') => () =>
    put(cluster[role], `config-${++names}`, VALUE);
  try {
    const figures = await measureWrites({ leader: writer('leader'), follower: writer('follower') });
    return { name: 'etcd', figures };
  } finally {
    await cluster.down();
  }
}

async function measureWrites(writers: Record<string, Write>): Promise<Figure[]> {
  const figures: Figure[] = [];
  await writesPerSecond(writers['leader'] as Write, 32); // Compiles the code.
  for (const [role, write] of Object.entries(writers)) {
    for (const clients of CLIENTS) {
      const { rate, latencies } = await writesPerSecond(write, clients);
      const of = `${role} ${clients}`;
      const what = `${role}, ${clients === 1 ? '1 client' : `${clients} clients`}`;
      const p99 = quantile(latencies, 0.99);
      figures.push(
        { what, unit: 'writes/s', samples: [rate], better: 'higher', ...target(RATES[of]) },
        { what: `${what}, p99`, unit: 'ms', samples: [p99], better: 'lower', ...target(P99S[of]) },
      );
    }
  }
  return figures;
}

function target(value: string | undefined): { target?: string } {
  return value ? { target: value } : {};
}

async function writesPerSecond(
  write: Write,
  clients: number,
): Promise<{ rate: number; latencies: number[] }> {
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + SECONDS * 1000;
  const client = async () => {
    for (let now = start; now < end; ) {
      await write();
      const done = performance.now();
      latencies.push(done - now);
      now = done;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { rate: latencies.length / ((performance.now() - start) / 1000), latencies };
}
