/**
 * Entries per second through Consensus, with one and three managers, each a process of its own:
 *
 *   node --import tsx test/bench/consensus.ts [seconds per run] [proposers, e.g. 1,32]
 *
 * A proposer proposes, waits until its entry is applied, and proposes the next. All managers share this
 * machine's processors and its disk.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConsensusInit } from '../../manager/consensus/index.ts';
import { TestManager, until } from '../manager/consensus/harness.ts';
import { busyNote, verdict } from './support/verdict.ts';

const PAYLOAD_BYTES = 256;
/** Entries a second of three managers, with as many proposers as it takes. */
const TARGET = 20_000;
const PROPOSERS = [1, 16, 32, 64, 256, 1000];
const SELF = fileURLToPath(import.meta.url);

type Joined = NonNullable<ConsensusInit['join']>;

async function main(runMs: number, proposers: readonly number[]): Promise<void> {
  const note = busyNote();
  let best = 0;
  for (const size of [1, 3]) {
    const root = await mkdtemp(join(tmpdir(), 'bench-consensus-'));
    const children: ChildProcess[] = [];
    const leader = new LeaderUnderTest(join(root, 'leader'));
    await leader.boot();
    for (let i = 1; i < size; i++) children.push(await follower(leader, `node-${i}`, root));
    await until(() => leader.voters === size, `${size} voters`);
    console.log(`${size} manager${size > 1 ? 's' : ''}, ${PAYLOAD_BYTES} B entries`);
    for (const count of proposers) {
      const { rate, text } = await leader.run(count, runMs);
      console.log(`  ${text}`);
      if (size === 3) best = Math.max(best, rate);
    }
    console.log(`  ${(await leader.read(32, runMs)).text}`);
    for (const child of children) child.kill();
    await leader.manager.stop();
    await rm(root, { recursive: true, force: true });
  }
  console.log(verdict('three managers without API, at best', best, TARGET));
  if (note !== undefined) console.log(note);
}

interface Outcome {
  readonly rate: number;
  readonly text: string;
}

class LeaderUnderTest {
  readonly manager: TestManager;

  constructor(dir: string) {
    this.manager = new TestManager('node-0', dir);
  }

  get voters(): number {
    return this.manager.api.members().filter(({ learner }) => !learner).length;
  }

  async boot(): Promise<void> {
    await this.manager.start({ bootstrap: true });
    await until(() => this.manager.api.isLeader, 'it leads');
    this.manager.machine.apply = () => undefined;
  }

  run(proposers: number, runMs: number): Promise<Outcome> {
    const data = Buffer.alloc(PAYLOAD_BYTES, 1);
    const propose = () => this.manager.api.propose(data).committed;
    return measure(`${proposers} proposers`, 'entries', proposers, runMs, propose);
  }

  read(readers: number, runMs: number): Promise<Outcome> {
    const read = async () => {
      await this.manager.api.readIndex();
    };
    return measure(`${readers} readers`, 'reads', readers, runMs, read);
  }
}

async function measure(
  who: string,
  what: string,
  parallel: number,
  runMs: number,
  once: () => Promise<void>,
): Promise<Outcome> {
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  const worker = async () => {
    for (let now = start; now < start + runMs; ) {
      await once();
      const done = performance.now();
      latencies.push(done - now);
      now = done;
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cost = ((user + system) / latencies.length).toFixed(0);
  latencies.sort((a, b) => a - b);
  const at = (q: number) => (latencies[Math.floor(latencies.length * q)] ?? 0).toFixed(2);
  const rate = Math.round(latencies.length / seconds);
  const speed = `${String(rate).padStart(7)} ${what}/s`;
  const text = `${who.padStart(14)}: ${speed}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${cost} µs CPU each`;
  return { rate, text };
}

/** Starts a manager in a process of its own and has it join. */
async function follower(
  leader: LeaderUnderTest,
  nodeId: string,
  root: string,
): Promise<ChildProcess> {
  const child = fork(SELF, {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, BENCH_NODE: nodeId, BENCH_DIR: join(root, nodeId) },
  });
  const { addr } = (await message(child)) as { addr: string };
  const { api } = leader.manager;
  const { raftId } = await api.addMember({ nodeId, addr, raftId: 0 });
  child.send({ raftId, membership: api.membership() });
  return child;
}

async function serve(nodeId: string, dir: string): Promise<void> {
  const manager = new TestManager(nodeId, dir);
  await manager.listen();
  process.send!({ addr: manager.addr });
  const join = (await message(process)) as Joined;
  await manager.start({ join });
  manager.machine.apply = () => undefined;
  // Once the bench is gone there is nothing left to do.
  process.on('disconnect', () => process.exit(0));
}

function message(from: NodeJS.Process | ChildProcess): Promise<unknown> {
  return new Promise((resolve) => (from as ChildProcess).once('message', resolve));
}

if (process.env['BENCH_NODE']) await serve(process.env['BENCH_NODE'], process.env['BENCH_DIR']!);
else
  await main(
    Number(process.argv[2] ?? 2) * 1000,
    process.argv[3]?.split(',').map(Number) ?? PROPOSERS,
  );
