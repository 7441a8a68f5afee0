/**
 * How many entries a second go through three nodes in one process, with nothing around the core: no
 * disk, no network, no encoding.
 *
 *     node --import tsx test/raft/bench.ts [entries]
 */

import { Cluster } from './support/cluster.ts';

const COUNT = Number(process.argv[2] ?? 200_000);
const PAYLOAD = new Uint8Array(256);

function measure(
  name: string,
  batch: number,
  propose: (cluster: Cluster) => void,
  init = {},
): void {
  const cluster = new Cluster({ config: { maxSizePerMsg: 1 << 20, ...init } });
  cluster.elect(1);
  for (const member of cluster.all) {
    // The oracle's checks and the machine are not what is measured.
    member.apply = (entries) => {
      member.appliedIndex += entries.length;
    };
    member.checks = false;
  }
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
  console.log(`${name.padEnd(44)} ${Math.round(COUNT / seconds).toLocaleString('en')} entries/s`);
}

const oneByOne = (count: number) => (cluster: Cluster) => {
  const { node } = cluster.member(1);
  for (let i = 0; i < count; i++) node.propose(PAYLOAD);
};
const batched = (count: number) => (cluster: Cluster) => {
  cluster.member(1).node.proposeBatch(new Array(count).fill(PAYLOAD));
};

measure('one proposal at a time', 1, oneByOne(1));
measure('64 proposals per round, each its own', 64, oneByOne(64));
measure('64 proposals per round, as one batch', 64, batched(64));
measure('512 proposals per round, as one batch', 512, batched(512));
measure('64 in a batch, asynchronous storage writes', 64, batched(64), {
  asyncStorageWrites: true,
});
