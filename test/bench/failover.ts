/**
 * From the death of the leader of three managers to the next write that another one accepts: its
 * daemon is killed (its peers see the connection end), or its host is cut off (they see nothing).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { compare } from './support/compare.ts';
import type { Figure } from './support/report.ts';
import { type SwarmUnderTest, timeUntil } from './support/swarm.ts';

const ROUNDS = Number(process.argv[2] ?? 10);
const TRY_MS = 1_000;
const PAUSE_MS = 25;
const DEADLINE_MS = 60_000;

interface NodeView {
  readonly Description: { readonly Hostname: string };
  readonly ManagerStatus?: {
    readonly Leader?: boolean;
    readonly Reachability?: string;
    readonly Addr: string;
  };
}

let names = 0;

await compare({ title: 'Leader gone to next write, 3 managers', managers: 3, measure });

async function measure(swarm: SwarmUnderTest): Promise<Figure[]> {
  const killed: number[] = [];
  const cut: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    killed.push(await round(swarm, kill));
    cut.push(await round(swarm, cutOff));
  }
  const target = 'median ≤ 1,200, all ≤ 2,000';
  return [
    { what: 'leader killed', unit: 'ms', samples: killed, better: 'lower', target },
    { what: 'leader cut off', unit: 'ms', samples: cut, better: 'lower', target },
  ];
}

interface Outage {
  readonly end: () => Promise<void>;
}

type Break = (swarm: SwarmUnderTest, host: string) => Promise<Outage>;

async function kill(swarm: SwarmUnderTest, host: string): Promise<Outage> {
  process.kill(swarm.daemonPid(host), 'SIGKILL');
  return { end: () => swarm.restart(host) };
}

async function cutOff(swarm: SwarmUnderTest, host: string): Promise<Outage> {
  await swarm.unplug(host);
  return { end: () => swarm.plug(host) };
}

async function round(swarm: SwarmUnderTest, breakIt: Break): Promise<number> {
  const leader = await leaderOf(swarm);
  const others = swarm.managers.filter((host) => host !== leader);
  for (const host of others) await write(swarm, host); // Connections are open.
  const outage = await breakIt(swarm, leader);
  const start = performance.now();
  await Promise.any(others.map((host) => nextWrite(swarm, host)));
  const took = performance.now() - start;
  await outage.end();
  await timeUntil('all managers are back', () => allReachable(swarm, others[0] as string));
  return took;
}

/**
 * A write begins every `PAUSE_MS`, whatever became of those before: some were on their way to the
 * leader that is gone, and their end says nothing of the next one.
 */
async function nextWrite(swarm: SwarmUnderTest, host: string): Promise<void> {
  const accepted = new AbortController();
  for (let i = 0; i < DEADLINE_MS / PAUSE_MS && !accepted.signal.aborted; i++) {
    write(swarm, host).then((ok) => ok && accepted.abort());
    await sleep(PAUSE_MS, undefined, { signal: accepted.signal }).catch(() => undefined);
  }
  if (!accepted.signal.aborted) throw new Error(`${host} accepted nothing in ${DEADLINE_MS} ms`);
}

/** False when it was refused or not answered in time. */
async function write(swarm: SwarmUnderTest, host: string): Promise<boolean> {
  const body = { Name: `failover-${++names}`, Data: 'YQ==' };
  const options = { body, timeoutMs: TRY_MS };
  const answer = swarm.api(host).send('POST', '/configs/create', options);
  return answer.then(({ status }) => status === 201).catch(() => false);
}

async function leaderOf(swarm: SwarmUnderTest): Promise<string> {
  let leader = '';
  await timeUntil('a leader is seen by all', async () => {
    const seen = await Promise.all(swarm.managers.map((host) => leaderSeenBy(swarm, host)));
    leader = seen[0] ?? '';
    return leader !== '' && seen.every((each) => each === leader);
  });
  return leader;
}

async function leaderSeenBy(swarm: SwarmUnderTest, host: string): Promise<string | undefined> {
  const nodes = await nodesSeenBy(swarm, host);
  const addr = nodes.find(({ ManagerStatus }) => ManagerStatus?.Leader)?.ManagerStatus?.Addr;
  return swarm.managers.find((each) => `${swarm.address(each)}:2377` === addr);
}

async function allReachable(swarm: SwarmUnderTest, host: string): Promise<boolean> {
  const nodes = await nodesSeenBy(swarm, host);
  return nodes.filter((n) => n.ManagerStatus?.Reachability === 'reachable').length === 3;
}

async function nodesSeenBy(swarm: SwarmUnderTest, host: string): Promise<NodeView[]> {
  const answer = await swarm
    .api(host)
    .send('GET', '/nodes', { timeoutMs: TRY_MS })
    .catch(() => undefined);
  return answer?.status === 200 ? (answer.body as NodeView[]) : [];
}
