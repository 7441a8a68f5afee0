/**
 * Entries a second through three cores in one process, with nothing around them: no disk, no network, no
 * encoding. One process does the work of all three.
 *
 *     npm run bench -- raft [-- ENTRIES]
 */
import { Cluster } from '../raft/support/cluster.ts';
import type { MemberConfig } from '../raft/support/member.ts';
import { busyNote, verdict } from './support/verdict.ts';

const COUNT = Number(process.argv[2] ?? 200_000);
const PAYLOAD = new Uint8Array(256);
const TARGET = 20_000;

type Propose = (cluster: Cluster) => void;

interface Rates {
  /** Entries per second by the clock. */
  readonly clock: number;
  /** The same by the time that a processor gave to this process. */
  readonly processor: number;
}

function measure(
  name: string,
  batch: number,
  propose: Propose,
  config: Partial<MemberConfig> = {},
): Rates {
  const cluster = new Cluster({ config: { maxSizePerMsg: 1 << 20, ...config } });
  cluster.elect(1);
  for (const member of cluster.all) {
    // The state machine and the checks of tests are not what is measured.
    member.apply = (entries) => {
      member.appliedIndex += entries.length;
    };
    member.checks = false;
  }
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  for (let done = 0; done < COUNT; done += batch) {
    propose(cluster);
    cluster.settle();
    for (const member of cluster.all) {
      member.readys.length = 0;
      if (done % 20_000 < batch) member.compact(1_000);
    }
  }
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  const clock = COUNT / seconds;
  const processor = COUNT / ((user + system) / 1e6);
  const show = (each: number) => Math.round(each).toLocaleString('en').padStart(9);
  console.log(
    `${name.padEnd(44)} ${show(clock)} entries/s, ${show(processor)} per processor second`,
  );
  return { clock, processor };
}

const oneByOne =
  (count: number): Propose =>
  (cluster) => {
    const { node } = cluster.member(1);
    for (let i = 0; i < count; i++) node.propose(PAYLOAD);
  };
const batched =
  (count: number): Propose =>
  (cluster) => {
    cluster.member(1).node.proposeBatch(new Array(count).fill(PAYLOAD));
  };

const note = busyNote();
measure('one proposal at a time', 1, oneByOne(1));
const usual = measure('64 proposals per round, each its own', 64, oneByOne(64));
measure('64 proposals per round, as one batch', 64, batched(64));
measure('512 proposals per round, as one batch', 512, batched(512));
measure('64 in a batch, asynchronous storage writes', 64, batched(64), {
  asyncStorageWrites: true,
});
console.log(verdict('the core alone, 64 proposals of their own', usual.clock, TARGET));
if (note !== undefined) {
  console.log(note);
  console.log(verdict('per processor second', usual.processor, TARGET));
}
